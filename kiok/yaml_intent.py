"""Detection of YAML documents without a key `dag` that are, or were, meant as a DAG.

Repositories contain much YAML that is not a DAG: workflows, compose files, charts, playbooks. So only a document that can
hardly be anything else always counts as a broken DAG (`Sign.CERTAIN`). A weaker sign (`Sign.DOUBT`) counts if the file had
a DAG before: then a missing key does not prove that the DAG was removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import NamedTuple

from kiok.errors import REMEDY
from kiok.spec import TASK_TYPES
from kiok.spelling import nearest
from kiok.text import shown
from kiok.yaml_document import DAG_SPELLINGS, SPELLINGS_FOR_RUNS, TASK_SPELLINGS
from kiok.yaml_fault import Mark
from kiok.yaml_reader import Document, YamlNode

_MAX_KEYS_SHOWN = 5
# Without the keys for runs: other YAML files also consist of an `image`, or of `params`.
_INSIDE_A_DAG = frozenset({*DAG_SPELLINGS, *TASK_SPELLINGS}) - SPELLINGS_FOR_RUNS


class Sign(Enum):
    """Certainty that a document is meant as a DAG."""

    NONE = auto()
    DOUBT = auto()
    CERTAIN = auto()


class Other(NamedTuple):
    """A document without a key `dag`: why it is not a DAG, and whether it was probably meant as one."""

    reason: str
    sign: Sign = Sign.NONE
    message: str = ""
    mark: Mark = Mark(1, 1)


def examine(document: Document) -> Other | None:
    """Examine a document without a top-level key `dag`; None for an empty one."""
    root = document.root
    if root is None or (root.value is None and not root.text):
        return None
    reason = _reason(root)
    sign, message, mark = _sign(root)
    if sign is Sign.NONE and document.errors:
        mark, message = document.errors[0]
        sign, message = Sign.DOUBT, f"{reason}, and it is not valid: {message}. {REMEDY}"
    return Other(reason, sign, message, mark)


def _reason(root: YamlNode) -> str:
    if isinstance(root.value, dict):
        keys = [shown(key, 40) for key in list(root.entries)[:_MAX_KEYS_SHOWN]]
        more = len(root.entries) - len(keys)
        found = ", ".join(keys) + (f" and {more} more" if more else "")
        hint = (
            f"; it looks like a DAG: {_how_to_fix(root)}"
            if {"schedule", "tasks"} <= root.entries.keys()
            else ""
        )
        return (
            f"it has no key 'dag' at the top level (found: {found}){hint}"
            if keys
            else "it is an empty mapping"
        )
    if isinstance(root.value, list):
        return "it is a list; a DAG is a mapping with the keys 'dag' and 'tasks'"
    return (
        f"it is a plain value ({shown(root.value, 40)}); a DAG is a mapping with the keys 'dag' and 'tasks'"
    )


def _how_to_fix(root: YamlNode) -> str:
    """Return what to write for keys of a DAG that are at the top level."""
    moved = ", ".join(repr(key) for key in root.entries if key in DAG_SPELLINGS and key != "id")
    return "write `dag:` with an `id` next to `tasks:`" + (f", and move {moved} under it" if moved else "")


def _sign(root: YamlNode) -> tuple[Sign, str, Mark]:
    if isinstance(root.value, dict):
        return _sign_of_mapping(root)
    if isinstance(root.value, list):
        return _sign_of_list(root)
    # Any line of text is valid YAML, so it being readable proves nothing.
    return Sign.DOUBT, f"{_reason(root)}. {REMEDY}", root.mark


def _sign_of_mapping(root: YamlNode) -> tuple[Sign, str, Mark]:
    tasks = next(
        ((key, *entry) for key, entry in root.entries.items() if _folded(key) in ("task", "tasks")), None
    )
    has_tasks = tasks is not None and _are_tasks(tasks[2])
    for key, (mark, node) in root.entries.items():
        if not _is_nearly_dag(key):
            continue
        message = f"unknown key {shown(key)}; did you mean `dag:`?"
        is_but_its_form = _folded(key) in ("dag", "dags")
        if not is_but_its_form and not isinstance(node.value, dict | list):
            continue
        if has_tasks or (is_but_its_form and "id" in node.entries):
            return Sign.CERTAIN, message, mark
        return Sign.DOUBT, f"{message} {REMEDY}", mark
    if tasks is not None:
        key, mark, _node = tasks
        message = f"the key {shown(key)} is present, but there is no key 'dag' with the id of a DAG; did you mean `dag:`?"
        if "schedule" in root.entries:
            message = f"{message} If it is a DAG, {_how_to_fix(root)}."
        return (Sign.CERTAIN, message, mark) if has_tasks else (Sign.DOUBT, f"{message} {REMEDY}", mark)
    if found := _nested(root.entries.values()):
        return found
    if root.entries and _INSIDE_A_DAG.issuperset(root.entries):
        message = f"it has keys of a DAG or a task, but no key 'dag' at the top level; did you mean `dag:`? {REMEDY}"
        return Sign.DOUBT, message, root.mark
    for key, (mark, node) in root.entries.items():
        if _are_tasks(node) or (isinstance(node.value, list) and nearest(key, ("tasks",))):
            return Sign.DOUBT, f"unknown key {shown(key)}; did you mean `tasks:`? {REMEDY}", mark
    return Sign.NONE, "", root.mark


def _sign_of_list(root: YamlNode) -> tuple[Sign, str, Mark]:
    if found := _nested((item.mark, item) for item in root.items):
        return found
    if _are_tasks(root):
        message = (
            f"it is a list of tasks without a DAG; did you mean `dag:`, and the list under `tasks:`? {REMEDY}"
        )
        return Sign.DOUBT, message, root.mark
    return Sign.NONE, "", root.mark


def _nested(entries: Iterable[tuple[Mark, YamlNode]]) -> tuple[Sign, str, Mark] | None:
    """Find a DAG that is one level too deep: under another key, or as an item of a list."""
    for _mark, node in entries:
        if "dag" not in node.entries:
            if "tasks" in node.entries and _are_tasks(node.entries["tasks"][1]):
                message = (
                    f"`tasks:` is one level too deep, without `dag:`; both belong at the top level. {REMEDY}"
                )
                return Sign.DOUBT, message, node.entries["tasks"][0]
            continue
        mark, dag = node.entries["dag"]
        message = (
            "the key 'dag' is one level too deep; `dag:` and `tasks:` belong at the top level of the document"
        )
        if "id" in dag.entries and "tasks" in node.entries:
            return Sign.CERTAIN, f"{message}; did you mean `dag:` there?", mark
        return Sign.DOUBT, f"{message}. {REMEDY}", mark
    return None


def _are_tasks(node: YamlNode) -> bool:
    """Return whether this can hardly be anything but a list of kiok tasks."""
    likely = False
    for item in node.items:
        entries = item.entries
        if "type" in entries and entries["type"][1].value not in TASK_TYPES:
            return False
        likely = likely or ("id" in entries and any(key in entries for key in ("script", "type", "requires")))
    return likely


def _folded(key: str) -> str:
    """Return the key in folded case, without surrounding blanks and diff signs."""
    return key.strip().strip("+-").strip().casefold()


def _is_nearly_dag(key: str) -> bool:
    """Return whether the key is `dag` except for one letter, its case or blanks."""
    folded = _folded(key)
    return folded in ("dag", "dags", "da", "dg", "ag") or nearest(folded, ("dag",)) is not None
