"""YAML files of one DAG, compiled for a test."""

from __future__ import annotations

from kiok.compiled import CompiledFile
from kiok.spec import DagSpec
from kiok.yaml_dag import YamlLimits, compile_yaml

HEAD = "dag: {id: d}\ntasks:\n"


def compiled(text: str | bytes, limits: YamlLimits | None = None) -> CompiledFile:
    raw = text.encode() if isinstance(text, str) else text
    return compile_yaml(raw, "d.yaml", limits or YamlLimits())


def spec_of(text: str) -> DagSpec:
    result = compiled(text)
    assert result.diagnostics == ()
    assert len(result.dags) == 1
    return result.dags[0]


def problems_of(text: str | bytes) -> list[tuple[int | None, int | None, str | None, str | None, str]]:
    result = compiled(text)
    assert result.dags == ()
    assert all(found.path == "d.yaml" for found in result.diagnostics)
    return [(found.line, found.column, found.task, found.key, found.message) for found in result.diagnostics]


ONE_TASK = "tasks: [{id: a, script: s}]\n"
