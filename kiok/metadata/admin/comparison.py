"""The versions of a DAG, and a comparison of two of them, for `kiok/versions.html`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.http import urlencode

from kiok.metadata.admin import display, side_by_side
from kiok.metadata.models import DagVersion

SHOWN_VERSIONS = 20
OFFERED_VERSIONS = 200  # newest versions in the selection; the URL can name any other
MAX_SPEC_CHARACTERS = 500_000  # as compact JSON; a larger spec is not compared
_MAX_VERSION = 2**31 - 1


def of(uid: str, user: Any, wanted: Mapping[str, str]) -> dict[str, Any]:
    """Return the versions that the user may see, and the comparison of the `wanted` two ("before", "after").

    Defaults to the newest two. Takes two queries; none if the user may not see versions, who then gets no versions.
    """
    if not user.has_perm("metadata.view_dagversion"):
        return {"may_see_versions": False}
    found = DagVersion.objects.filter(uid=uid).visible_to(user).order_by("-version")
    versions = list(found.defer("spec", "source")[:OFFERED_VERSIONS])
    before, after = _chosen(wanted, [version.version for version in versions])
    rows = [
        {
            "number": version.version,
            "url": display.page_of("metadata_dagversion", version.pk),
            "commit": display.with_commit_facts(
                display.commit(version.commit_sha),
                display.about_commit(version.commit_subject, version.commit_author, version.commit_time),
            ),
            "created": display.age(version.created_at),
            "before": previous.version if previous else None,
        }
        for version, previous in zip(versions, [*versions[1:], None], strict=False)
    ]
    return {
        "may_see_versions": True,
        "versions": rows[:SHOWN_VERSIONS],
        "offered": [version.version for version in versions],
        "before": before,
        "after": after,
        "compared": _compared(found, before, after),
        "versions_url": f"{reverse('admin:metadata_dagversion_changelist')}?{urlencode({'uid__exact': uid})}",
    }


def between(before: DagVersion, after: DagVersion) -> list[dict[str, Any]]:
    """Return the differences between spec and source of two versions."""
    labels = (_label(before), _label(after))
    specs = [len(json.dumps(version.spec)) for version in (before, after)]
    if max(specs) > MAX_SPEC_CHARACTERS:  # comparing them line by line would take seconds
        spec = side_by_side.too_long(*specs)
    else:
        texts = (display.spec_text(before.spec), display.spec_text(after.spec))
        spec = side_by_side.table(*texts, labels=labels, name="Spec")
    compared = [{"title": "Spec", "table": spec}]
    if before.source or after.source:
        title = "Source as authored"
        table = side_by_side.table(before.source or "", after.source or "", labels=labels, name=title)
        compared.append({"title": title, "table": table})
    return compared


def _label(version: DagVersion) -> str:
    commit = f", commit {version.commit_sha[: display.COMMIT_CHARACTERS]}" if version.commit_sha else ""
    return f"Version {version.version}{commit}"


def _chosen(wanted: Mapping[str, str], known: list[int]) -> tuple[int, int]:
    """Return two version numbers, 0 for none. Defaults to the newest version and the one before it."""
    after = _number(wanted.get("after")) or (known[0] if known else 0)
    older = [version for version in known if version < after]
    return _number(wanted.get("before")) or (older[0] if older else 0), after


def _number(text: str | None) -> int:
    if text and text.isascii() and text.isdecimal() and len(text) < 11 and int(text) <= _MAX_VERSION:
        return int(text)
    return 0


def _compared(found: QuerySet[DagVersion], before: int, after: int) -> list[dict[str, Any]] | None:
    """Return the comparison of two versions; None unless both exist."""
    pair = {version.version: version for version in found.filter(version__in=[before, after])}
    return between(pair[before], pair[after]) if before in pair and after in pair else None
