"""What the Docker engine knows of a worker's containers: how many were started, and whether one stands ready."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import docker

from benchmarks.worker import Worker
from compilers.base import Kind
from compilers.sandbox.config import LABEL_POOL, LABEL_SERVICE

_PATIENCE_SECONDS = 60.0
_SETTLING_SECONDS = 0.5
"""From a container's start to its driver's waiting; that it is, nothing tells."""


def containers_made(service: str, since: float, until: float) -> int:
    """How many containers of that installation were started between two points of time (Unix, seconds)."""
    with _engine() as client:
        events = client.events(
            since=int(since),
            until=int(until) + 1,
            filters={"type": "container", "event": "start", "label": f"{LABEL_SERVICE}={service}"},
            decode=True,
        )
        # The bounds are whole seconds; the events are exact.
        return sum(since <= event["timeNano"] / 1e9 <= until for event in events)


def await_ready(worker: Worker, kind: Kind) -> None:
    """Wait until the worker's pool is full for that kind, as it is when a push comes after a while without one."""
    facts = worker.ask("facts")
    filters = {"label": [f"{LABEL_POOL}=1", f"{LABEL_SERVICE}={facts['service']}"]}
    patience = time.monotonic() + _PATIENCE_SECONDS
    with _engine() as client:
        while True:
            names = [container.name for container in client.containers.list(filters=filters)]
            # One that is being started has a name that ends otherwise.
            ready = [name for name in names if f"-{kind.value}-" in name and name[-1].isdecimal()]
            if len(ready) >= facts["pool"]:
                break
            if time.monotonic() > patience:
                raise SystemExit(f"no container stands ready after {_PATIENCE_SECONDS:.0f} s: {names}")
            time.sleep(0.1)
    time.sleep(_SETTLING_SECONDS)


@contextmanager
def _engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    try:
        yield client
    finally:
        client.close()
