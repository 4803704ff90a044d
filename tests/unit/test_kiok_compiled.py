"""Decoding of compiled files from the sandbox: hostile bytes in, validated values out."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.compiled import MAX_DIAGNOSTICS, CompiledFile, CompiledFileError, decode
from kiok.errors import Diagnostic
from kiok.validation import validate

MAX_CPU_SECONDS = 10.0  # twenty times as long as on an idle machine
DAG: dict[str, Any] = {"id": "d", "tasks": [{"id": "a", "script": "echo ä"}]}


def file(**fields: object) -> dict[str, Any]:
    return {"dags": [], "diagnostics": [], "keyed": True, "importFailed": False, **fields}


def payload(value: object) -> bytes:
    return json.dumps(value).encode()


def test_compiled_file_is_decoded_as_it_was_encoded() -> None:
    spec = validate(DAG).spec
    assert spec is not None
    there = CompiledFile(
        (spec,),
        (Diagnostic("m", "p.py", 3, 4, "d", "a", "script", "printed"),),
        keyed=False,
        import_failed=True,
        not_a_dag=Diagnostic("a library", "p.py", 1),
        doubts=(Diagnostic("a supertype is missing", "p.jar"),),
    )
    assert decode(there.encode()) == there


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "Expecting value"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ("{}".encode("utf-16"), "byte 1 is not UTF-8"),
        ("{}".encode("utf-16-le"), "acceptable JSON"),
        (b'{"a": "\xff"}', "byte 8 is not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "byte 8 is not UTF-8"),
        (b'{"dags": []} x', "Extra data"),
        (b'{"dags": [], "dags": []}', "the key 'dags' is duplicated"),
        (b'{"x": {"\\u0061": 1, "a": 2}}', "the key 'a' is duplicated"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a": 1e999}', "the number 1e999 is beyond"),
        (b'{"a": ' + b"9" * 5000 + b"}", "(5000 characters) is beyond 64 bits"),
        (b'{"a": 9223372036854775808}', "is beyond 64 bits"),
        (b"[" * 100_000, "more than 32 levels of nesting at character 33"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "more than 32 levels"),
        (b'{"a": "\n"}', "control character"),
        (b'{"a": "x', "the string at character 7 has no end"),
        (b'"' + b'\\"' * 500_000, "has no end"),
        (b"[1,]", "acceptable JSON"),
        (b"'a'", "acceptable JSON"),
        (b"[]", "must be a JSON object, found a list of 0"),
        (b"5", "must be a JSON object, found the number 5"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_malformed_bytes_are_refused_with_cause_and_place(raw: bytes, message: str) -> None:
    started = time.process_time()
    with pytest.raises(CompiledFileError) as caught:
        decode(raw)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300
    assert time.process_time() - started < MAX_CPU_SECONDS


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "'dags' must be a list, found null"),
        (file(dags={}), "'dags' must be a list, found a mapping"),
        (file(diagnostics=None), "'diagnostics' must be a list"),
        (file(keyed=1), "'keyed' must be true or false, found the number 1"),
        (file(importFailed="no"), "'importFailed' must be true or false"),
        (
            file(extra=1),
            "unknown key 'extra'; allowed: dags, diagnostics, doubts, importFailed, imported, keyed",
        ),
        (file(doubts={}), "'doubts' must be a list"),
        (file(doubts=[{}]), "needs a message"),
        (file(notADag="no"), "a diagnostic must be a JSON object, found 'no'"),
        (file(diagnostics=["text"]), "a diagnostic must be a JSON object, found 'text'"),
        (file(diagnostics=[{}]), "needs a message"),
        (file(diagnostics=[{"message": 5}]), "'message' must be a string, found the number 5"),
        (file(diagnostics=[{"message": "m", "path": []}]), "'path' must be a string"),
        (file(diagnostics=[{"message": "m", "line": 0}]), "'line' must be a number from 1"),
        (
            file(diagnostics=[{"message": "m", "column": True}]),
            "'column' must be a number from 1, found true",
        ),
        (file(diagnostics=[{"message": "m", "line": 2**31}]), "'line' must be a number"),
    ],
)
def test_wrong_outer_shape_is_refused(value: object, message: str) -> None:
    with pytest.raises(CompiledFileError) as caught:
        decode(payload(value))
    assert message in str(caught.value)


def test_invalid_dag_becomes_diagnostics_and_others_are_kept() -> None:
    broken = {"id": "broken", "tasks": [{"id": "a", "script": "\ud800"}]}
    read = decode(payload(file(dags=[broken, DAG, "text"])))
    assert [dag.id for dag in read.dags] == ["d"]
    assert [(found.dag, found.task, found.key) for found in read.diagnostics] == [
        ("broken", "a", "script"),
        (None, None, None),
    ]


def test_dags_with_the_same_id_are_all_refused() -> None:
    other = {"id": "other", "tasks": DAG["tasks"]}
    for twin in (DAG, {"id": "d", "tasks": []}):
        read = decode(payload(file(dags=[DAG, other, twin])))
        assert [dag.id for dag in read.dags] == ["other"]
        assert "2 DAGs of this file have this id" in read.diagnostics[0].message
        assert read.diagnostics[0].dag == "d"


def test_texts_of_diagnostics_are_bounded_and_storable() -> None:
    read = decode(
        payload(file(diagnostics=[{"message": "a\x00\ud800" + "x" * 10_000, "output": "y" * 99_999}]))
    )
    (found,) = read.diagnostics
    assert found.message.startswith("a\\u0000\\ud800xxx")
    assert len(found.message) <= 4_100
    assert found.output is not None
    assert len(found.output) == 8_192
    found.message.encode()


def test_diagnostics_beyond_the_limit_are_counted() -> None:
    many = [{"message": str(n)} for n in range(MAX_DIAGNOSTICS + 50)]
    read = decode(payload(file(diagnostics=many)))
    assert len(read.diagnostics) == MAX_DIAGNOSTICS + 1
    assert read.diagnostics[-1].message == "... and 50 more"


def test_megabyte_is_read_quickly() -> None:
    tasks = [{"id": f"t{n}", "script": 'echo "\\"' * 5} for n in range(10_000)]
    raw = payload(file(dags=[{"id": "d", "tasks": tasks}]))
    started = time.process_time()
    assert len(decode(raw).dags[0].tasks) == 10_000
    assert time.process_time() - started < MAX_CPU_SECONDS


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_raise_only_the_documented_error(raw: bytes) -> None:
    with suppress(CompiledFileError):
        decode(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(categories=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
near_files = st.fixed_dictionaries(
    {"dags": st.lists(st.just(DAG) | json_values, max_size=3) | json_values},
    optional={
        "diagnostics": st.lists(
            st.fixed_dictionaries(
                {"message": json_values}, optional={"line": json_values, "dag": json_values}
            )
        ),
        "keyed": json_values,
        "importFailed": json_values,
    },
)


@given(json_values | near_files)
def test_any_json_raises_only_the_documented_error(value: object) -> None:
    with suppress(CompiledFileError):
        decode(json.dumps(value).encode()).encode()
