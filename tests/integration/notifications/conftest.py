"""Fixtures that the tests of notifications share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings

from kiok.notifications.models import NotificationChannel
from tests.support.servers.receiver import WebhookServer


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[WebhookServer]:
    with WebhookServer(tmp_path / "channel") as running:
        settings.KIOK = replace(settings.KIOK, gitsync_ssl_ca_info=running.ca_file)
        yield running


@pytest.fixture
def channel(server: WebhookServer) -> NotificationChannel:
    return NotificationChannel.objects.create(name="everybody", url=server.url(), all_repositories=True)
