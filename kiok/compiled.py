"""What compiling one source file gives: DAGs, problems, or neither.

It crosses the sandbox's boundary as JSON (`to_json`, `from_json`), where whoever reads it
must take it for hostile: `from_json` checks every shape and validates every DAG again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kiok.errors import Diagnostic, KiokError
from kiok.spec import DagSpec
from kiok.validation import validate

MAX_DIAGNOSTICS = 200


class CompiledFileError(KiokError):
    """The JSON is not the form of a compiled file; the message says where it departs."""


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """One file's outcome.

    - `dags`: every DAG of the file that is valid, in the order of definition, ids distinct;
    - `diagnostics`: every problem; a file may hold good DAGs and broken ones at once;
    - neither: the file is not a DAG file;
    - `keyed`: whether the uids of its DAGs carry `::<dag id>` (all but a YAML file that holds
      one DAG document);
    - `import_failed`: the module or jar could not be loaded at all, so that whether it is
      meant to be a DAG file is for the host to judge (diagnostics say why).
    """

    dags: tuple[DagSpec, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    keyed: bool = True
    import_failed: bool = False

    def to_json(self) -> dict[str, Any]:
        """`{"dags": [spec], "diagnostics": [object], "keyed": bool, "importFailed": bool}`."""
        return {
            "dags": [dag.to_json() for dag in self.dags],
            "diagnostics": [diagnostic.to_json() for diagnostic in self.diagnostics],
            "keyed": self.keyed,
            "importFailed": self.import_failed,
        }

    @classmethod
    def from_json(cls, value: object) -> CompiledFile:
        """Read `to_json`'s form from an untrusted source.

        A DAG that does not validate becomes diagnostics. Raises CompiledFileError when the
        outer shape is wrong.
        """
        raise NotImplementedError
