"""The decision who may use a connection, against a model of it, over random changes of rows and grants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitsync.models import Repository
from gitsync.repositories.declared import remove_repository
from kiok.connections.models import Connection
from kiok.connections.references import find
from kiok.connections.usage import decide
from tests.support.connection_rows import grant, make_repository

pytestmark = pytest.mark.django_db

REPOSITORIES, TEAMS, IDS = ("r1", "r2"), ("t1", "t2"), ("a", "a.b", "a.b.c", "d")
TEXT = "${conn.a.k} ${conn.a.b.k} ${conn.a.b.c.k} ${conn.d.k} ${conn.d.a.b} ${conn.e.k} ${secret.a.b} ${secret.d}"
REFERENCES = {reference.text: reference for reference in find(TEXT)}
EVERYONE = "everyone"


@dataclass
class Model:
    """Which rows exist (by kind and name), and how they are connected."""

    rows: set[str] = field(default_factory=set)
    pairs: set[tuple[str, str]] = field(
        default_factory=set
    )  # (repository, team), (connection, who may use it)

    def toggle_row(self, name: str) -> bool:
        """Add or remove a row, with all its pairs. Return whether it exists now."""
        self.rows ^= {name}
        self.pairs = {pair for pair in self.pairs if name not in pair}
        return name in self.rows

    def toggle_pair(self, first: str, second: str) -> bool:
        self.pairs ^= {(first, second)}
        return (first, second) in self.pairs

    def may(self, repository: str, connection: str) -> bool:
        teams = {team for of, team in self.pairs if of == repository}
        who = {EVERYONE} | ({repository} if repository in self.rows else set()) | teams
        return connection in self.rows and any((connection, one) in self.pairs for one in who)

    def read_by(self, repository: str, text: str) -> str:
        """Return the id of the connection that a reference reads, "" if it may read none."""
        inner = text.partition(".")[2].removesuffix("}")
        ids = [inner] if text.startswith("${secret") else [id for id in IDS if inner.startswith(f"{id}.")]
        return max((id for id in ids if self.may(repository, id)), key=len, default="")


def toggle(model: Model, first: str, second: str) -> None:
    """Add or remove a row (`second` is ""), or connect two rows or part them, in the model and in the database."""
    if not second:
        exists = model.toggle_row(first)
        if first in IDS:
            grant(first) if exists else Connection.objects.get(pk=first).delete()
        elif first in TEAMS:
            Group.objects.create(name=first) if exists else Group.objects.get(name=first).delete()
        else:
            make_repository(first) if exists else remove_repository(Repository.objects.get(name=first))
        return
    if not {first, second} <= model.rows | {EVERYONE}:
        return
    connected = model.toggle_pair(first, second)
    if second == EVERYONE:
        Connection.objects.filter(pk=first).update(usable_by_all=connected)
        return
    if first in REPOSITORIES:
        stored, row = Repository.objects.get(name=first).groups, Group.objects.get(name=second)
    elif second in TEAMS:
        stored, row = Connection.objects.get(pk=first).usable_by_groups, Group.objects.get(name=second)
    else:
        stored, row = (
            Repository.objects.get(name=second).granted_connections,
            Connection.objects.get(pk=first),
        )
    stored.add(row) if connected else stored.remove(row)


changes = st.one_of(
    st.tuples(st.sampled_from((*REPOSITORIES, *TEAMS, *IDS)), st.just("")),
    st.tuples(st.sampled_from(REPOSITORIES), st.sampled_from(TEAMS)),
    st.tuples(st.sampled_from(IDS), st.sampled_from((*REPOSITORIES, *TEAMS, EVERYONE))),
)


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.sampled_from((*REPOSITORIES, *TEAMS, *IDS))), st.lists(changes, max_size=25))
def test_the_decision_is_that_of_the_model(present: set[str], done: list[tuple[str, str]]) -> None:
    with rolled_back():
        model = Model()
        for first, second in [*((name, "") for name in sorted(present)), *done]:
            toggle(model, first, second)
            for repository in (*REPOSITORIES, ""):
                decided = decide(repository, REFERENCES.values())
                read = {text: answer.connection for text, answer in decided.items()}
                assert read == {text: model.read_by(repository, text) for text in REFERENCES}
                assert all(bool(answer.connection) == answer.is_allowed for answer in decided.values())
