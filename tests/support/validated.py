"""Validation of a DAG in wire form, for tests that expect a DAG without problems or exactly one problem."""

from __future__ import annotations

from kiok.problems import LocatedProblem
from kiok.spec import DagSpec
from kiok.validation import validate


def good(value: object) -> DagSpec:
    spec, problems = validate(value)
    assert problems == ()
    assert spec is not None
    return spec


def only_problem(value: object) -> LocatedProblem:
    spec, problems = validate(value)
    assert spec is None
    assert len(problems) == 1, problems
    return problems[0]
