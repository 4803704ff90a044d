"""The result of compiling one source file: DAGs, problems, or neither.

It crosses the boundary of the sandbox as JSON (`to_json`, then `decode`). The reader must treat it as
hostile: bytes, JSON and structure are checked, and every DAG is validated again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kiok.errors import Diagnostic, KiokError
from kiok.spec import DagSpec
from kiok.strict_json import StrictJsonError, parse
from kiok.text import shown, storable
from kiok.validation import authored_id, validate

MAX_DIAGNOSTICS = 200
MAX_LINE = 2**31 - 1  # maximum of a PostgreSQL integer

# Maximum characters of each text of a diagnostic from an untrusted source.
_MAX_TEXT = {"message": 4_000, "path": 4_096, "dag": 250, "task": 250, "key": 250, "output": 8_192}
_KEYS = frozenset(
    {"dags", "diagnostics", "doubts", "importFailed", "imported", "keyed", "notADag", "traced_accesses"}
)
MAX_QUESTIONS = 2_000
MAX_QUESTION_CHARACTERS = 64 << 10  # all questions together


class CompiledFileError(KiokError):
    """The JSON is not a compiled file; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class ImportedDags:
    """DAGs that a file imports from another file, which created them; `path` is its path from the repository's root.

    `dags` are the valid ones, `diagnostics` the problems of the others.
    """

    path: str
    dags: tuple[DagSpec, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return `{"path": string, "dags": [spec], "diagnostics": [object]}`."""
        return {
            "path": self.path,
            "dags": [dag.to_json() for dag in self.dags],
            "diagnostics": [diagnostic.to_json() for diagnostic in self.diagnostics],
        }

    @classmethod
    def from_json(cls, value: object) -> ImportedDags:
        """Read `to_json`'s form from an untrusted source. Raises CompiledFileError."""
        if not isinstance(value, dict) or value.keys() != {"path", "dags", "diagnostics"}:
            raise CompiledFileError("an entry of 'imported' must have the keys path, dags and diagnostics")
        path = value["path"]
        if not isinstance(path, str) or not path.isprintable() or not 0 < len(path) <= _MAX_TEXT["path"]:
            raise CompiledFileError(
                f"an imported file's 'path' must be a printable string, found {shown(path)}"
            )
        return cls(path, *_dags(value))


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """Result of compiling one file.

    - `dags`: every DAG of the file that is valid, in the order of definition, ids distinct;
    - `diagnostics`: every problem; a file may contain both valid and broken DAGs;
    - neither: the file is not a DAG file, and `not_a_dag` says why;
    - `doubts`: parts that could not be understood and may be a DAG (a class whose supertype is missing). They are a
      problem if the file had DAGs before that are missing now; otherwise they are only listed;
    - `keyed`: whether the uids of its DAGs contain `::<dag id>` (true for all files except a YAML file with
      one DAG document);
    - `imported`: DAGs that other files of the repository created. Each of these files registers its own DAGs; this one
      registers them only if such a file is not a source;
    - `import_failed`: the module or jar could not be loaded at all (diagnostics say why), so the host decides
      whether it is meant to be a DAG file;
    - `traced_accesses`: the file accesses that were traced while it compiled, each once, as `compilers.build_cache`
      reads them; None if they were not traced.
    """

    dags: tuple[DagSpec, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    keyed: bool = True
    import_failed: bool = False
    traced_accesses: tuple[str, ...] | None = None
    not_a_dag: Diagnostic | None = None
    doubts: tuple[Diagnostic, ...] = ()
    imported: tuple[ImportedDags, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return `{"dags": [spec], "diagnostics": [object], "keyed": bool, "importFailed": bool}`.

        `"questions": [string]`, `"notADag": object`, `"doubts": [object]` and `"imported": [object]` are added if there
        are any.
        """
        noted: dict[str, Any] = (
            {} if self.traced_accesses is None else {"traced_accesses": list(self.traced_accesses)}
        )
        if self.not_a_dag is not None:
            noted["notADag"] = self.not_a_dag.to_json()
        if self.doubts:
            noted["doubts"] = [doubt.to_json() for doubt in self.doubts]
        if self.imported:
            noted["imported"] = [imported.to_json() for imported in self.imported]
        return {
            "dags": [dag.to_json() for dag in self.dags],
            "diagnostics": [diagnostic.to_json() for diagnostic in self.diagnostics],
            "keyed": self.keyed,
            "importFailed": self.import_failed,
            **noted,
        }

    def encode(self) -> bytes:
        """Return `to_json` as JSON text in UTF-8, for `decode` in the receiving process."""
        return json.dumps(self.to_json(), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, value: object) -> CompiledFile:
        """Read `to_json`'s form from an untrusted source.

        All keys except `dags` and `diagnostics` may be missing. An invalid DAG becomes diagnostics, and so do DAGs with
        the same id: none of them is accepted. Diagnostics are limited to 200, with bounded texts.
        Raises CompiledFileError if the outer structure is wrong.
        """
        if not isinstance(value, dict):
            raise CompiledFileError(f"a compiled file must be a JSON object, found {shown(value)}")
        unknown = [key for key in value if key not in _KEYS]
        if unknown:
            raise CompiledFileError(f"unknown key {shown(unknown[0])}; allowed: {', '.join(sorted(_KEYS))}")
        dags, diagnostics = _dags(value)
        not_a_dag = _diagnostic(value["notADag"]) if "notADag" in value else None
        doubts = [_diagnostic(entry) for entry in _list(value, "doubts")] if "doubts" in value else []
        imported = _list(value, "imported") if "imported" in value else []
        return cls(
            dags,
            diagnostics,
            _flag(value, "keyed", True),
            _flag(value, "importFailed", False),
            _questions(value),
            not_a_dag,
            bounded(doubts),
            tuple(ImportedDags.from_json(entry) for entry in imported),
        )


def decode(payload: bytes) -> CompiledFile:
    """Read the JSON text of a compiled file from hostile bytes.

    Raises only CompiledFileError, with what is wrong and where, for any bytes. The cost is linear in their
    number, which the caller limits.
    """
    try:
        value = parse(payload)
    except StrictJsonError as exc:
        raise CompiledFileError(f"the result is not acceptable JSON: {exc}") from exc
    return CompiledFile.from_json(value)


def repeated_ids(ids: Iterable[str | None]) -> dict[str, int]:
    """Return the ids that occur more than once, with their counts, in the order of their first occurrence.

    Which of several DAGs with the same id is meant is unknown and would depend on their order: none is accepted.
    """
    return {id_: count for id_, count in Counter(ids).items() if id_ is not None and count > 1}


def bounded(diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the first 200 diagnostics, and one that counts the rest."""
    if len(diagnostics) <= MAX_DIAGNOSTICS:
        return tuple(diagnostics)
    more = len(diagnostics) - MAX_DIAGNOSTICS
    return (*diagnostics[:MAX_DIAGNOSTICS], Diagnostic(f"... and {more} more", diagnostics[-1].path))


def imported_message(counts: Mapping[str, int]) -> str:
    """Return a text with the number of DAGs that a file imports from others: `imports 1 DAG of base.py`."""
    parts = [f"{count} DAG{'s' if count != 1 else ''} of {path}" for path, count in counts.items()]
    return f"imports {' and '.join(parts)}"


def repeated_message(count: int) -> str:
    """Return the message for an id that `count` DAGs of one file have."""
    return (
        f"{count} DAGs of this file have this id; ids are unique within a file, so none of them is registered"
    )


def _dags(value: dict[Any, Any]) -> tuple[tuple[DagSpec, ...], tuple[Diagnostic, ...]]:
    """Read the valid DAGs under `dags`, and the diagnostics, including the problems of the invalid DAGs."""
    dags = _list(value, "dags")
    diagnostics = [_diagnostic(entry) for entry in _list(value, "diagnostics")]
    repeated = repeated_ids(authored_id(dag) for dag in dags)
    diagnostics += [Diagnostic(repeated_message(count), dag=id_, key="id") for id_, count in repeated.items()]
    valid = []
    for dag in dags:
        spec, problems = validate(dag)
        diagnostics += [problem.diagnostic() for problem in problems]
        if spec is not None and spec.id not in repeated:
            valid.append(spec)
    return tuple(valid), bounded(diagnostics)


def _list(value: dict[Any, Any], key: str) -> list[Any]:
    found = value.get(key)
    if not isinstance(found, list):
        raise CompiledFileError(f"{key!r} must be a list, found {shown(found)}")
    return found


def _questions(value: dict[Any, Any]) -> tuple[str, ...] | None:
    if "traced_accesses" not in value:
        return None
    found = _list(value, "traced_accesses")
    if len(found) > MAX_QUESTIONS:
        raise CompiledFileError(f"'questions' has {len(found)} entries; at most {MAX_QUESTIONS} are allowed")
    for item in found:
        if not isinstance(item, str) or not item.isprintable():
            raise CompiledFileError(f"a question must be a printable string, found {shown(item)}")
    if (characters := sum(map(len, found))) > MAX_QUESTION_CHARACTERS:
        raise CompiledFileError(
            f"'questions' has {characters} characters; at most {MAX_QUESTION_CHARACTERS} are allowed"
        )
    return tuple(dict.fromkeys(found))


def _flag(value: dict[Any, Any], key: str, default: bool) -> bool:
    found = value.get(key, default)
    if not isinstance(found, bool):
        raise CompiledFileError(f"{key!r} must be true or false, found {shown(found)}")
    return found


def _diagnostic(entry: object) -> Diagnostic:
    if not isinstance(entry, dict):
        raise CompiledFileError(f"a diagnostic must be a JSON object, found {shown(entry)}")
    texts: dict[str, str | None] = {}
    for key, limit in _MAX_TEXT.items():
        found = entry.get(key)
        if found is not None and not isinstance(found, str):
            raise CompiledFileError(f"a diagnostic's {key!r} must be a string, found {shown(found)}")
        texts[key] = None if found is None else storable(found, limit)
    message = texts.pop("message")
    if not message:
        raise CompiledFileError("a diagnostic needs a message")
    line, column = (_position(entry, key) for key in ("line", "column"))
    return Diagnostic(message, line=line, column=column, **texts)


def _position(entry: dict[Any, Any], key: str) -> int | None:
    found = entry.get(key)
    if found is None:
        return None
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= MAX_LINE:
        raise CompiledFileError(f"a diagnostic's {key!r} must be a number from 1, found {shown(found)}")
    return found
