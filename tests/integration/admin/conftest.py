"""Fixtures that the tests of the admin share."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from kiok.metadata.models import Dag
from tests.support.access_rows import Rows, logged_in, make_lonely_dag, make_rows, user_of


@pytest.fixture
def browser(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada", password="x"))
    return client


@pytest.fixture
def ours(transactional_db: None) -> Rows:
    return make_rows("aardvark", "first", 500_000_000)


@pytest.fixture
def theirs(ours: Rows) -> Rows:
    return make_rows("zebra", "second", 700_000_000)


@pytest.fixture
def lonely(transactional_db: None, theirs: Rows) -> Dag:
    """A DAG of no repository."""
    return make_lonely_dag(theirs)


@pytest.fixture
def vera(ours: Rows, theirs: Rows, lonely: Dag) -> Client:
    return logged_in(user_of(ours.group))


@pytest.fixture
def root(ours: Rows, theirs: Rows, lonely: Dag) -> Client:
    return logged_in(User.objects.create_superuser("root"))
