"""Differences between the actual and the required content of the store, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from tests.support.reference.model import Served, Store, Version


def differences(expected: Store, found: Store) -> list[str]:
    """A line for each difference; none if the store is as it must be."""
    return [*_dags(expected, found), *_history(expected, found)]


def _dags(expected: Store, found: Store) -> Iterator[str]:
    for uid in sorted({*expected.dags, *found.dags}):
        wanted, there = expected.dags.get(uid), found.dags.get(uid)
        if there is None:
            yield f"{uid}: is not there; it must serve {_said(wanted)}"
        elif wanted is None:
            yield f"{uid}: serves {_said(there)}, and must be gone"
        else:
            yield from _fields(uid, wanted, there)


def _history(expected: Store, found: Store) -> Iterator[str]:
    for uid in sorted({*expected.history, *found.history}):
        wanted, there = expected.history.get(uid, ()), found.history.get(uid, ())
        numbers = [[version.number for version in versions] for versions in (wanted, there)]
        if numbers[0] != numbers[1]:
            yield f"{uid}: its history has the versions {numbers[1]}, and must have {numbers[0]}"
        for old, new in zip(wanted, there, strict=False):
            yield from _fields(f"{uid}, version {old.number} of its history", old, new)


def _fields(what: str, wanted: Served | Version, there: Served | Version) -> Iterator[str]:
    for field in fields(wanted):
        must, has = getattr(wanted, field.name), getattr(there, field.name)
        if must != has:
            yield f"{what}: {field.name} is {has!r}, and must be {must!r}"


def _said(dag: Served | None) -> str:
    return f"version {dag.version} of commit {dag.commit[:12]}" if dag else "nothing"
