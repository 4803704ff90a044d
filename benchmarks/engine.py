"""A worker's containers as seen by the Docker engine: the started ones and the warm ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import docker

from benchmarks.worker import Worker
from compilers.sandbox.config import LABEL_POOL, LABEL_SERVICE
from compilers.sandbox.language import Language

_PATIENCE_SECONDS = 60.0
_LATE_SECONDS = 1.0
_SETTLING_SECONDS = 0.5  # from the start of a container until its driver waits, which nothing reports


@contextmanager
def containers_started(service: str) -> Iterator[list[str]]:
    """Collect the names of the installation's containers that start during the block. The list is complete after it.

    It listens to events as they happen, since the engine stores only the last few hundred.
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


def await_ready(worker: Worker, language: Language) -> None:
    """Wait until the worker's pool is full for that language, as it is when there was no push for a while."""
    facts = worker.ask("facts")
    await_pool(facts["service"], facts["pool"], language)


def await_pool(service: str, size: int, language: Language) -> None:
    """Wait until the service has `size` warm containers of that language."""
    filters = {"label": [f"{LABEL_POOL}=1", f"{LABEL_SERVICE}={service}"]}
    patience = time.monotonic() + _PATIENCE_SECONDS
    with _engine() as client:
        while True:
            names = [container.name for container in client.containers.list(filters=filters)]
            # The name of a container that is still starting ends differently.
            ready = [name for name in names if f"-{language.name}-" in name and name[-1].isdecimal()]
            if len(ready) >= size:
                break
            if time.monotonic() > patience:
                raise SystemExit(f"no warm container after {_PATIENCE_SECONDS:.0f} s: {names}")
            time.sleep(0.1)
    time.sleep(_SETTLING_SECONDS)


@contextmanager
def _engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    try:
        yield client
    finally:
        client.close()
