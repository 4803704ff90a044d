"""Fixtures that the tests of the API share."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from tests.support.api_client import Api, make_token


@pytest.fixture
def api(transactional_db: None) -> Api:
    return Api(make_token(User.objects.create_superuser("ada", password="x"))[0])
