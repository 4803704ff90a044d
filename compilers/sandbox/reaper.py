"""Removes containers whose sync is no longer alive.

A container normally ends with its host: its standard input ends, the driver exits, the engine removes
it. This is for what that misses: a container that was created but never started, an engine that restarted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from docker.errors import NotFound

from compilers.sandbox.config import LABEL_SANDBOX, LABEL_SERVICE, LABEL_SYNC
from compilers.sandbox.engine import Engine

log = logging.getLogger(__name__)


def remove_orphans(engine: Engine, service: str, is_alive: Callable[[str], bool]) -> list[str]:
    """Remove this service's sandbox containers whose sync `is_alive` denies; the ids of the removed.

    `is_alive` is given the value of the label `kiok.sync` (empty when there is none). Containers of other
    services are left alone. Raises SandboxUnavailable when the engine does not answer.
    """
    client = engine.client()
    with engine.answering():
        found = client.containers(
            all=True, filters={"label": [f"{LABEL_SANDBOX}=1", f"{LABEL_SERVICE}={service}"]}
        )
    removed = []
    for container in found:
        sync = (container.get("Labels") or {}).get(LABEL_SYNC, "")
        if is_alive(sync):
            continue
        try:
            with engine.answering():
                client.remove_container(container["Id"], force=True, v=True)
        except NotFound:
            continue
        log.warning("removed the container %s left behind by sync %r", container["Id"][:12], sync)
        removed.append(container["Id"])
    return removed
