"""The cases, in the order in which they run."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.case import Measure
from benchmarks.cases import (
    apply,
    cold,
    jars,
    nothing_changed,
    one_changed,
    pages,
    partial_fetch,
    pushed,
    thousand_repositories,
    workers,
    yaml_files,
)

CASES: Mapping[str, Measure] = {
    "cold": cold.measure,
    "one-changed": one_changed.measure,
    "pushed": pushed.measure,
    "nothing-changed": nothing_changed.measure,
    "jars": jars.measure,
    "yaml": yaml_files.measure,
    "apply": apply.measure,
    "thousand-repositories": thousand_repositories.measure,
    "workers": workers.measure,
    "partial-fetch": partial_fetch.measure,
    "pages": pages.measure,
}
