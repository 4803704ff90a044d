"""A YAML file in, its DAGs and problems out. Runs no code of the file's, so it needs no sandbox.

- A document whose root is a mapping with the key `dag` is a DAG; other documents are ignored.
- A file that cannot be read as YAML at all, or is beyond the limits, is a DAG file only if a line of it
  begins with `dag:`: repositories are full of templates and data that are neither YAML nor ours.
- Where a file cannot be read to its end, none of its documents is taken: how many DAGs it holds, and
  so what their uids are, is then unknown.
"""

from __future__ import annotations

import re

from kiok.compiled import CompiledFile, bounded, repeated_ids, repeated_message
from kiok.errors import Diagnostic
from kiok.problems import Problem, without_echoes
from kiok.spec import DagSpec
from kiok.text import printable
from kiok.validation import authored_id, validate
from kiok.yaml_document import read_dag, task_at
from kiok.yaml_reader import Document, Mark, Node, YamlError, YamlLimits, documents

__all__ = ["YamlLimits", "compile_yaml"]

_DAG_LINE = re.compile(r"""^(?:---[ \t]+)?(?:\{\s*)?["']?dag["']?[ \t]*:""", re.MULTILINE)
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BOMS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_DEFAULT_LIMITS = YamlLimits()
_MAX_MESSAGE = 4_000


def compile_yaml(text: bytes, path: str, limits: YamlLimits = _DEFAULT_LIMITS) -> CompiledFile:
    """Compile a YAML file's bytes; diagnostics carry `path`, line and column.

    Never raises. Neither DAGs nor diagnostics: no DAG file. Of several documents the good ones give DAGs
    and the others diagnostics; `keyed` counts the documents that are meant as DAGs, good or not.
    """
    try:
        found = [
            (document, root)
            for document in documents(_decode(text, limits), limits)
            if (root := document.root) is not None and "dag" in root.entries
        ]
    except YamlError as error:
        if not _mentions_dag(text):
            return CompiledFile(keyed=False)
        return CompiledFile(diagnostics=(_diagnostic(error.message, path, error.mark),), keyed=False)
    keyed = len(found) > 1
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
            diagnostics.append(_diagnostic(message, path, mark, Problem("", id_, key="id")))
    dags = tuple(spec for spec, _mark in good if spec.id not in repeated)
    return CompiledFile(dags, bounded(diagnostics), keyed)


def _decode(text: bytes, limits: YamlLimits) -> str:
    if len(text) > limits.max_bytes:
        raise YamlError(f"the file has {len(text)} bytes; at most {limits.max_bytes} are allowed")
    for bom, encoding in _BOMS.items():
        if text.startswith(bom) and encoding != "utf-8":
            raise YamlError("the file is in UTF-16; save it in UTF-8")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = text[: exc.start].decode("utf-8", "replace")
        message = f"the file is not UTF-8: byte {exc.start + 1} (0x{text[exc.start]:02x}): {exc.reason}"
        raise YamlError(message, _mark(before)) from exc
    if wrong := _NOT_YAML.search(decoded):
        message = f"the character U+{ord(wrong[0]):04X} is not allowed in YAML"
        raise YamlError(message, _mark(decoded[: wrong.start()]))
    return decoded


def _mark(before: str) -> Mark:
    """The place right after `before`."""
    line = before.count("\n") + 1
    return Mark(line, len(before) - before.rfind("\n"))


def _mentions_dag(text: bytes) -> bool:
    encoding = next((name for bom, name in _BOMS.items() if text.startswith(bom)), "utf-8")
    return _DAG_LINE.search(text.decode(encoding, "replace").lstrip("\ufeff")) is not None


def _compile(
    document: Document, root: Node, path: str
) -> tuple[DagSpec | None, str | None, Mark, list[Diagnostic]]:
    """(the DAG if it is good, its id as authored, where it is, what is wrong)."""
    wire, places, own = read_dag(root)
    id_ = authored_id(wire)
    diagnostics = [
        _diagnostic(message, path, mark, Problem("", id_, task_at(root, mark)))
        for mark, message in document.errors
    ]
    told = {mark for mark, _message in document.errors}
    spec, problems = validate(wire)
    for problem in without_echoes(own, problems):
        mark = places.of(problem.location)
        if mark not in told:
            diagnostics.append(_diagnostic(problem.message, path, mark, problem))
    return (None if diagnostics else spec), id_, places.of(("id",)), diagnostics


def _diagnostic(message: str, path: str, mark: Mark | None, problem: Problem | None = None) -> Diagnostic:
    line, column = mark or (None, None)
    about = problem or Problem("")
    return Diagnostic(printable(message, _MAX_MESSAGE), path, line, column, about.dag, about.task, about.key)
