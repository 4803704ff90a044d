"""Compilation of a YAML file to DAGs and problems. It runs no code of the file, so it needs no sandbox.

- A document whose root is a mapping with the key `dag` is a DAG. `kiok.yaml_intent` examines all others: each is a
  broken DAG, a doubt (which counts if the file had a DAG before), or not a DAG.
- A file that is not YAML, exceeds the limits, or is encrypted, is a broken DAG if its text has the keys of a DAG, else
  `import_failed`: repositories contain many templates and data files that are not YAML and not kiok's.
- If a file cannot be read to its end, none of its documents is accepted: the number of its DAGs, and
  therefore their uids, are unknown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from kiok.compiled import CompiledFile, bounded, repeated_ids, repeated_message
from kiok.errors import REMEDY, Diagnostic
from kiok.opaque import opaque_reason
from kiok.problems import LocatedProblem, without_echoes
from kiok.spec import DagSpec
from kiok.text import storable
from kiok.validation import authored_id, validate
from kiok.yaml_document import read_dag, task_at
from kiok.yaml_fault import Mark
from kiok.yaml_intent import Other, Sign, examine
from kiok.yaml_reader import Document, YamlError, YamlLimits, YamlNode, documents

__all__ = ["YamlLimits", "compile_yaml"]

_DAG_LINE = re.compile(r"""^(?:---[ \t]+)?(?:\{\s*)?["']?dag["']?[ \t]*:""", re.MULTILINE)
# For text that is not YAML: a `dag` line, possibly with an error, and a `tasks` line after it.
_NEARLY_DAG_LINE = re.compile(
    r"""^[ \t"'-]{0,8}dags?[ \t"']{0,8}:?[ \t]{0,8}(?:\{.*)?\r?$""", re.MULTILINE | re.IGNORECASE
)
_NEARLY_TASKS_LINE = re.compile(
    r"""^[ \t"']{0,8}tasks[ \t"']{0,8}:?[ \t]{0,8}(?:\[.*)?\r?$""", re.MULTILINE | re.IGNORECASE
)
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# UTF-32 first: its mark begins with that of UTF-16.
_BOMS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_DEFAULT_LIMITS = YamlLimits()
_MAX_MESSAGE = 4_000


def compile_yaml(text: bytes, path: str, limits: YamlLimits = _DEFAULT_LIMITS) -> CompiledFile:
    """Compile the bytes of a YAML file; diagnostics have `path`, line and column.

    Never raises. Valid documents become DAGs, the others diagnostics; `keyed` depends on the number of
    documents that are meant as DAGs, valid or not.
    """
    try:
        read = list(documents(_decode(text, limits), limits))
    except YamlError as error:
        unreadable = (_diagnostic(error.message, path, error.mark),)
        return CompiledFile(diagnostics=unreadable, keyed=False, import_failed=not _mentions_dag(text))
    meant = [
        (document, root) for document in read if (root := document.root) is not None and "dag" in root.entries
    ]
    others = [other for document in read if not _is_dag(document) and (other := examine(document))]
    broken = [other for other in others if other.sign is Sign.CERTAIN]
    compiled = _compile_all(meant, path, keyed=len(meant) + len(broken) > 1)
    return replace(
        compiled,
        diagnostics=bounded(
            [*compiled.diagnostics, *(_diagnostic(item.message, path, item.mark) for item in broken)]
        ),
        not_a_dag=None if meant or broken else Diagnostic(_reason(others), path),
        doubts=bounded(_doubts(others, path, is_empty=not meant and not others)),
    )


def _is_dag(document: Document) -> bool:
    return document.root is not None and "dag" in document.root.entries


def _reason(others: Sequence[Other]) -> str:
    """Return why none of the documents is a DAG."""
    if not others:
        return "it is empty, or holds only comments"
    more = len(others) - 1
    rest = "" if not more else " (and another document)" if more == 1 else f" (and {more} more documents)"
    return f"{others[0].reason}{rest}"


def _doubts(others: Sequence[Other], path: str, *, is_empty: bool) -> list[Diagnostic]:
    if is_empty:
        # Truncation and failed templates leave such files; to remove a DAG, authors delete its file.
        return [Diagnostic(f"the file is empty, or holds only comments. {REMEDY}", path)]
    return [_diagnostic(item.message, path, item.mark) for item in others if item.sign is Sign.DOUBT]


def _compile_all(found: Sequence[tuple[Document, YamlNode]], path: str, *, keyed: bool) -> CompiledFile:
    """Compile the documents that have a key `dag`."""
    diagnostics: list[Diagnostic] = []
    good: list[tuple[DagSpec, Mark]] = []
    marks: list[tuple[str | None, Mark]] = []
    for document, root in found:
        spec, id_, mark, problems = _compile(document, root, path)
        diagnostics += problems
        marks.append((id_, mark))
        if spec is not None:
            good.append((spec, mark))
    repeated = repeated_ids(id_ for id_, _mark in marks)
    for id_, mark in marks:
        if id_ in repeated:
            lines = ", ".join(str(other.line) for same, other in marks if same == id_)
            message = f"{repeated_message(repeated[id_])} (lines {lines[:200]})"
            diagnostics.append(_diagnostic(message, path, mark, LocatedProblem("", id_, key="id")))
    dags = tuple(spec for spec, _mark in good if spec.id not in repeated)
    return CompiledFile(dags, tuple(diagnostics), keyed)


def _decode(text: bytes, limits: YamlLimits) -> str:
    if len(text) > limits.max_bytes:
        raise YamlError(f"the file has {len(text)} bytes; at most {limits.max_bytes} are allowed")
    if opaque := opaque_reason(text):
        raise YamlError(opaque)
    for bom, encoding in _BOMS.items():
        if text.startswith(bom):
            raise YamlError(f"the file is in {encoding}; save it in UTF-8")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = text[: exc.start].decode("utf-8", "replace")
        message = f"the file is not UTF-8: byte {exc.start + 1} (0x{text[exc.start]:02x}): {exc.reason}; save it in UTF-8"
        raise YamlError(message, _mark(before)) from exc
    if wrong := _NOT_YAML.search(decoded):
        if wrong[0] == "\0" and decoded.count("\0") * 3 >= len(decoded):
            raise YamlError("the file seems to be in UTF-16 without a byte order mark; save it in UTF-8")
        message = f"the character U+{ord(wrong[0]):04X} is not allowed in YAML; remove it"
        raise YamlError(message, _mark(decoded[: wrong.start()]))
    return decoded


def _mark(before: str) -> Mark:
    """Return the place right after `before`."""
    line = before.count("\n") + 1
    return Mark(line, len(before) - before.rfind("\n"))


def _mentions_dag(text: bytes) -> bool:
    """Return whether unreadable text has the keys of a DAG. NULs are removed, since UTF-16 has them between ASCII."""
    plain = text.replace(b"\0", b"").lstrip(b"\xff\xfe\xef\xbb\xbf").decode("utf-8", "replace")
    if _DAG_LINE.search(plain):
        return True
    nearly = _NEARLY_DAG_LINE.search(plain)
    return nearly is not None and _NEARLY_TASKS_LINE.search(plain, nearly.end()) is not None


def _compile(
    document: Document, root: YamlNode, path: str
) -> tuple[DagSpec | None, str | None, Mark, list[Diagnostic]]:
    """Return (the DAG if it is valid, its id as authored, its place, the problems)."""
    wire, places, own = read_dag(root)
    id_ = authored_id(wire)
    diagnostics = [
        _diagnostic(message, path, mark, LocatedProblem("", id_, task_at(root, mark)))
        for mark, message in document.errors
    ]
    told = {mark for mark, _message in document.errors}
    spec, problems = validate(wire)
    for problem in without_echoes(own, problems):
        mark = places.of(problem.location)
        if mark not in told:
            diagnostics.append(_diagnostic(problem.message, path, mark, problem))
    return (None if diagnostics else spec), id_, places.of(("id",)), diagnostics


def _diagnostic(
    message: str, path: str, mark: Mark | None, problem: LocatedProblem | None = None
) -> Diagnostic:
    line, column = mark or (None, None)
    about = problem or LocatedProblem("")
    return Diagnostic(storable(message, _MAX_MESSAGE), path, line, column, about.dag, about.task, about.key)
