"""A hundred repositories of which forty fail: the others are not delayed, and each failure has its reason."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitsync.models import Repository, SyncRun
from kiok.metadata.models import Dag
from tests.integration.conftest import yaml_dag
from tests.support.cluster import eventually, leader_pid, workers
from tests.support.servers.https import Fault, HttpsServer
from tests.support.servers.repositories import WorkRepo

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = 60
GIT_TIMEOUT_SECONDS = 30

# Expected for each kind of failure: (state, reason, words of the message).
SAYS = {
    "hangs": ("failing", "timeout", rf"ls-remote .* was stopped after {GIT_TIMEOUT_SECONDS} s"),
    "refuses": ("failing", "network", r"could not be reached.*(refused|Failed to connect)"),
    "busy": ("failing", "server_error", r"the server failed.*(429|503)"),
    "garbage": ("failing", "not_git", r"is not git"),
    "page": ("failing", "web_page", r"answers with a web page"),
    "redirects": ("failing", "redirect_refused", r"redirect.*not followed.*final url"),
}


@pytest.fixture
def other_host(tmp_path: Path) -> Iterator[HttpsServer]:
    """Return the server that the redirects point to."""
    with HttpsServer(tmp_path / "served", tmp_path / "other") as server:
        yield server


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        yield int(holder.getsockname()[1])


def bad_ones(https_server: HttpsServer, closed_port: int) -> dict[str, str]:
    """Ten that hang, ten that refuse, ten that serve garbage or a web page, ten that redirect: url by name."""
    urls: dict[str, str] = {}

    def serve(name: str, fault: Fault) -> None:
        https_server.faults[f"{name}.git"] = fault
        urls[name] = https_server.url(f"{name}.git")

    for number in range(10):
        serve(f"hangs-{number}", Fault.HANG)
        name, fault = (("garbage", Fault.GARBAGE), ("page", Fault.PAGE))[number % 2]
        serve(f"{name}-{number}", fault)
        serve(f"redirects-{number}", Fault.REDIRECT)
        if number < 5:
            urls[f"refuses-{number}"] = f"https://localhost:{closed_port}/dags.git"
        else:
            serve(f"busy-{number}", (Fault.TOO_MANY_REQUESTS, Fault.UNAVAILABLE)[number % 2])
    return urls


def sync_all(good: dict[str, str], bad: dict[str, str]) -> None:
    """Configure them, the bad ones first in the queue, and wait until all the good ones are in sync."""
    Repository.objects.bulk_create(Repository(name=name, url=url) for name, url in (bad | good).items())
    eventually(
        lambda: Repository.objects.filter(name__in=good, state="in_sync").count() == len(good),
        60,
        "the good ones in sync",
    )


@pytest.mark.rule("failure.slow-lane", "failure.classified", "running.redirects")
def test_sixty_good_ones_do_not_wait_for_forty_bad_and_each_is_explained(
    work_repo: WorkRepo, https_server: HttpsServer, other_host: HttpsServer, closed_port: int
) -> None:
    work_repo.publish({"a.yaml": yaml_dag("a")})
    good = {}
    for number in range(GOOD):
        shutil.copytree(work_repo.bare, https_server.root / f"good-{number}.git")
        good[f"good-{number}"] = https_server.url(f"good-{number}.git")
    bad = bad_ones(https_server, closed_port)
    https_server.elsewhere = other_host.url("").rstrip("/")
    properties = {
        "KIOK_GITSYNC_INTERVAL_MS": "600000",
        "KIOK_GITSYNC_GIT_TIMEOUT_MS": str(GIT_TIMEOUT_SECONDS * 1000),
        "KIOK_GITSYNC_SSL_CA_INFO": str(https_server.ca_file),
        "KIOK_WORKERS": "2",
    }
    with workers(properties):
        eventually(leader_pid, 20, "a leader")
        sync_all(good, bad)

        eventually(
            lambda: Repository.objects.filter(name__in=bad, state="failing").count() == len(bad),
            GIT_TIMEOUT_SECONDS * 3,
            "each bad one has an answer",
        )
    assert Dag.objects.count() == GOOD
    # Those that hang are polled first, and more of them than polls may run at once. How many good ones are synced before
    # the first of them times out depends on the machine.
    given_up = SyncRun.objects.filter(repository__name__startswith="hangs-").earliest("started_at").started_at
    before = SyncRun.objects.filter(repository__name__in=good, state="succeeded", finished_at__lt=given_up)
    assert before.count() >= 3, "the good ones waited for those that hang"
    for row in Repository.objects.filter(name__in=bad):
        state, reason, words = SAYS[row.name.partition("-")[0]]
        assert (row.state, row.reason) == (state, reason), f"{row.name}: {row.message}"
        assert re.search(words, row.message), f"{row.name}: {row.message}"
        assert re.search(r"https://localhost:\d+/", row.message), (
            f"{row.name} does not say where: {row.message}"
        )
    assert other_host.requests == [], "a redirect was followed"
