"""What the Docker engine knows of a worker's containers: how many were started, and whether one stands ready."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import docker

from benchmarks.worker import Worker
from compilers.base import Kind
from compilers.sandbox.config import LABEL_POOL, LABEL_SERVICE

_PATIENCE_SECONDS = 60.0
_LATE_SECONDS = 1.0
_SETTLING_SECONDS = 0.5
"""From a container's start to its driver's waiting; that it is, nothing tells."""


@contextmanager
def containers_started(service: str) -> Iterator[list[str]]:
    """The names of the containers of that installation that are started during the block; complete after it.

    The events are listened to as they come: the engine remembers only the last few hundred.
    """
    names: list[str] = []
    filters = {"type": "container", "event": "start", "label": f"{LABEL_SERVICE}={service}"}
    with _engine() as client:
        events = client.events(filters=filters, decode=True)
        listener = threading.Thread(target=_note, args=(events, names), daemon=True)
        listener.start()
        try:
            yield names
            time.sleep(_LATE_SECONDS)
        finally:
            events.close()
            listener.join(timeout=_PATIENCE_SECONDS)


def _note(events: Iterable[Mapping[str, Any]], names: list[str]) -> None:
    for event in events:
        names.append(event["Actor"]["Attributes"]["name"])


def await_ready(worker: Worker, kind: Kind) -> None:
    """Wait until the worker's pool is full for that kind, as it is when a push comes after a while without one."""
    facts = worker.ask("facts")
    await_pool(facts["service"], facts["pool"], kind)


def await_pool(service: str, size: int, kind: Kind) -> None:
    """Wait until so many containers of that kind stand ready for the service."""
    filters = {"label": [f"{LABEL_POOL}=1", f"{LABEL_SERVICE}={service}"]}
    patience = time.monotonic() + _PATIENCE_SECONDS
    with _engine() as client:
        while True:
            names = [container.name for container in client.containers.list(filters=filters)]
            # One that is being started has a name that ends otherwise.
            ready = [name for name in names if f"-{kind.value}-" in name and name[-1].isdecimal()]
            if len(ready) >= size:
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
