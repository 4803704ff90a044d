"""YAML that is hostile: its limits, and files that break off."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiok.compiled import CompiledFile
from kiok.yaml_dag import YamlLimits, compile_yaml
from tests.support.yaml_files import HEAD, compiled

pytestmark = pytest.mark.usefixtures("yaml_parser")


def test_a_file_that_breaks_off_gives_no_dag_at_all() -> None:
    result = compiled(HEAD + "- {id: a, script: s}\n---\ndag: {id: e\n")
    assert result.dags == ()
    assert len(result.diagnostics) == 1


BOMB = "a: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))


@pytest.mark.parametrize(
    ("text", "limits", "message"),
    [
        (HEAD + "#" * 1024 * 1024, {}, "1048596 bytes; at most 1048576 are allowed"),
        (HEAD + "- " + "[" * 60 + "]" * 60, {}, "more than 50 levels of nesting"),
        (HEAD + "- " + "[" * 100_000, {}, "more than 50 levels of nesting"),
        (HEAD + "- " + "{a: " * 50_000, {}, "more than 50 levels of nesting"),
        (HEAD + "- x\n" * 2_001, {"max_nodes": 2_000}, "more than 2000 values"),
        (BOMB + HEAD, {}, "more than 200000 values (aliases expanded)"),
        ("a: &a " + "x" * 900_000 + "\nb: [*a, *a, *a, *a]\n" + HEAD, {}, "more than 4194304 characters"),
        ("a: &a [[[]]]\nb: [[*a]]\n" + HEAD, {"max_depth": 5}, "more than 5 levels of nesting"),
        ("a: &a x\nb: [*a, *a, *a]\n" + HEAD, {"max_aliases": 2}, "more than 2 aliases"),
        ("--- x\n" * 3 + "---\n" + HEAD, {"max_documents": 3}, "more than 3 documents"),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_a_limit_is_an_error_that_names_it_before_anything_is_built(
    text: str, limits: dict[str, Any], message: str, yaml_parser: str
) -> None:
    result = compiled(text, YamlLimits(**limits))
    assert result.dags == ()
    (found,) = result.diagnostics
    assert message in found.message
    without = text.replace("\ndag:", "\nxxx:").replace("dag: {id: d}", "xxx: 1")
    unreadable = compiled(without, YamlLimits(**limits))
    assert unreadable.import_failed
    assert message.partition(";")[0].partition(" ")[2] in unreadable.diagnostics[0].message


yaml_like = st.text("dag:tasks-id {}[]&*!|>\"'#%?,~<\n\t 05.x", max_size=60)


@given(st.binary() | st.text().map(str.encode) | yaml_like.map(lambda text: (HEAD + text).encode()))
def test_no_bytes_make_the_compiler_raise(raw: bytes) -> None:
    result = compile_yaml(raw, "d.yaml")
    assert CompiledFile.from_json(result.to_json()).dags == result.dags
