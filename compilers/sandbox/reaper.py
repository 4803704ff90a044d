"""Remove containers whose sync is no longer alive.

A container normally ends with its host process: its standard input ends, the driver exits, the engine removes
it. This module handles the exceptions: a container that was created but never started, or claimed but never attached,
a warm container whose pool maintainer is gone, an engine that restarted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from docker.errors import NotFound

from compilers.sandbox.config import LABEL_KEEPER, LABEL_POOL, LABEL_SANDBOX, LABEL_SERVICE, LABEL_SYNC
from compilers.sandbox.container import owner_in_name, remove_named
from compilers.sandbox.engine import Engine

log = logging.getLogger(__name__)


def remove_orphans(engine: Engine, service: str, is_alive: Callable[[str], bool]) -> list[str]:
    """Remove this service's sandbox containers whose owner `is_alive` denies. Return the ids of the removed ones.

    `is_alive` receives the sync (the value of the label `kiok.sync`), or the pool maintainer of a warm container;
    "" if there is none. Containers of other services are not touched. Raises SandboxUnavailable
    when the engine does not answer.
    """
    client = engine.client()
    with engine.answering():
        found = client.containers(
            all=True, filters={"label": [f"{LABEL_SANDBOX}=1", f"{LABEL_SERVICE}={service}"]}
        )
    removed = []
    for container in found:
        owner, waits = _owner(container)
        if is_alive(owner):
            continue
        try:
            remove_named(engine, container["Names"][0].lstrip("/"), container["Id"])
        except NotFound:
            continue
        level = logging.INFO if waits else logging.WARNING
        log.log(level, "removed the orphaned container %s of %r", container["Id"][:12], owner)
        removed.append(container["Id"])
    return removed


def _owner(container: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the owner of a container, and whether it is a warm container."""
    labels = container.get("Labels") or {}
    claimed = owner_in_name(container["Names"][0])
    if claimed is not None or LABEL_POOL not in labels:
        return claimed or labels.get(LABEL_SYNC, ""), False
    return labels.get(LABEL_KEEPER, ""), True
