"""A deployment with Docker Compose, from nothing to nothing: built, walled, synced, restarted, scaled, taken down."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack.stack import GIT_PORT, ROOT, Stack, Unavailable, wait_until

SYNC_SECONDS = 600
SERVICES = ("db", "engine", "web", "worker")
# Whether a TLS server takes a client without a certificate: it answers to the first request, or ends the connection.
WITHOUT_CERTIFICATE = """
import socket, ssl
context = ssl.create_default_context(cafile="/certificates/ca.pem")
try:
    with context.wrap_socket(socket.create_connection(("engine", 2376), 10), server_hostname="engine") as engine:
        engine.sendall(b"GET /_ping HTTP/1.0\\r\\n\\r\\n")
        print(engine.recv(100))
except ssl.SSLCertVerificationError:
    raise
except ssl.SSLError:
    print("refused")
"""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    try:
        yield made
    finally:
        made.down()
        shutil.rmtree(tmp_path)  # half a gigabyte of images


@pytest.mark.timeout(1800)
def test_a_push_deploys_through_restarts_and_the_loss_of_a_worker(
    stack: Stack,
) -> None:
    stack.build()
    stack.up()
    each_container_is_walled(stack)
    the_engine_is_the_workers_alone_and_gives_all_that_is_promised(stack)
    browsers_come_by_https_only(stack)

    stack.check_and_make_token()
    stack.api("POST", "repositories", {"name": "team", "url": stack.url, "subpath": "dags"})
    push(stack, "first", {"dags/nightly.jar": example_jar(stack.folder)})
    assert any(uid.startswith("team/dags/nightly.jar::") for uid in served(stack)), served(stack)

    for service in SERVICES:
        stack.restart(service)
        push(stack, f"after-{service}")

    stack.up("--scale", "worker=2")
    assert {"worker-1", "worker-2"} <= stack.containers().keys()
    subprocess.run(["docker", "kill", f"{stack.name}-worker-1"], check=True, capture_output=True)
    push(stack, "by-the-other")
    assert uids("first") <= served(stack)

    stack.down()
    assert stack.left() == []


def each_container_is_walled(stack: Stack) -> None:
    """Assert that only the engine is root or has capabilities, and that only volumes and memory are writable."""
    containers, secrets = stack.containers(), stack.secrets()
    assert len(secrets) == 5
    assert {f"{service}-1" for service in SERVICES} <= containers.keys()
    for service in SERVICES:
        output = containers[f"{service}-1"]
        host = output["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert not host["Privileged"], service
        assert not [mount for mount in output["Mounts"] if "docker.sock" in mount["Source"]], service
        assert not [secret for secret in secrets if secret in json.dumps(output)], service
        if service != "engine":
            assert not host["CapAdd"], service
            assert output["Config"]["User"] not in ("", "0", "root"), service


def the_engine_is_the_workers_alone_and_gives_all_that_is_promised(stack: Stack) -> None:
    walls = json.loads(stack.ask("worker", "python", "manage.py", "sandbox_check", "--json"))
    assert walls["ok"], walls
    assert stack.ask("worker", "python", "-c", WITHOUT_CERTIFICATE).strip() == "refused"

    networks = {name: networks_of(output) for name, output in stack.containers().items()}
    assert networks["engine-1"] == {"engine"}
    assert {name for name, of in networks.items() if "engine" in of} == {"engine-1", "worker-1"}
    assert networks["db-1"] == {"database"}
    gateway = stack.containers()["engine-1"]["NetworkSettings"]["Networks"][f"{stack.name}_engine"]["Gateway"]
    git = stack.containers()["git-1"]["NetworkSettings"]["Networks"][f"{stack.name}_outside"]["IPAddress"]
    for place in (f"{gateway}/22", f"{git}/{GIT_PORT}"):
        # A reachable host responds immediately, at least with a refusal; 124 is the status of `timeout`.
        tried = stack.ask(
            "engine", "sh", "-c", f"timeout 2 bash -c '</dev/tcp/{place}' 2>&1; echo $?"
        ).strip()
        assert tried == "124" or "No route to host" in tried, f"the engine reaches {place}: {tried}"


def networks_of(inspected: dict[str, Any]) -> set[str]:
    return {name.rpartition("_")[2] for name in inspected["NetworkSettings"]["Networks"]}


def browsers_come_by_https_only(stack: Stack) -> None:
    status, headers, _ = stack.request("GET", "/admin/login/")
    assert (status, headers["Location"].partition(":")[0]) == (301, "https")
    status, headers, _ = stack.request("GET", "/admin/login/", **{"X-Forwarded-Proto": "https"})
    assert status == 200
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    cookies = headers.get_all("Set-Cookie")
    assert cookies
    assert all("; Secure" in cookie for cookie in cookies)
    status, _, _ = stack.request(
        "GET", "/admin/login/", Host="elsewhere.example", **{"X-Forwarded-Proto": "https"}
    )
    assert status == 400


def push(stack: Stack, name: str, more: dict[str, bytes] | None = None) -> None:
    """Push a DAG in YAML and one in Python, which takes a container, and see them served at that commit."""
    files = {
        f"dags/{name}.yaml": f"dag: {{id: {name}}}\ntasks:\n  - {{id: a, script: echo a}}\n",
        f"dags/{name}.py": f"from kiok import Dag\ndag = Dag('{name}')\ndag.task('a', script='echo a')\n",
    }
    commit = stack.repository.publish({**files, **(more or {})})
    seen: dict[str, Any] = {"lastGoodCommit": "", "state": ""}

    def in_sync() -> bool:
        try:
            seen.update(stack.api("GET", "repositories/team"))
        except (OSError, http.client.HTTPException, Unavailable) as exc:  # a service restarts
            seen["error"] = repr(exc)
            return False
        return bool(seen["lastGoodCommit"] == commit and seen["state"] == "in_sync")

    wait_until(in_sync, SYNC_SECONDS, lambda: f"{name} is in sync; but {seen}")
    assert uids(name) <= served(stack)


def uids(name: str) -> set[str]:
    return {f"team/dags/{name}.yaml", f"team/dags/{name}.py::{name}"}


def served(stack: Stack) -> set[str]:
    return {dag["uid"] for dag in stack.api("GET", "dags?repository=team&limit=500")["items"]}


def example_jar(folder: Path) -> bytes:
    """The Java DAGs of examples/, compiled."""
    jar = folder / "nightly.jar"
    command = [ROOT / "scripts" / "jar.sh", ROOT / "examples" / "jar-src", jar]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return jar.read_bytes()
