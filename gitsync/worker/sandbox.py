"""Compile sandbox of this process, as configured by the properties."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from compilers.formats import languages
from compilers.sandbox.base import SandboxUnavailable
from compilers.sandbox.config import (
    LABEL_CORRELATION,
    LABEL_REPOSITORY,
    LABEL_SERVICE,
    LABEL_SYNC,
    SandboxConfig,
    seccomp_path,
)
from compilers.sandbox.docker import DockerSandbox
from compilers.sandbox.limits import SandboxLimits
from compilers.sandbox.pool import Filled
from compilers.sandbox.reaper import remove_orphans
from gitsync.models import SyncRun, SyncState
from kiok import correlation
from kiok.cluster.conf import properties
from kiok.cluster.models import LeaderLease
from kiok.cluster.process_id import is_dead, process_name

claimed = threading.Event()  # set when this process takes a warm container; the pool maintainer clears it


@lru_cache(maxsize=1)
def sandbox() -> DockerSandbox:
    """Return the sandbox of this process, shared by all threads."""
    config = properties()
    return DockerSandbox(
        SandboxConfig(
            images={language: config.get(language.image_property) for language in languages()},
            limits=_limits(),
            runtime=config.sandbox_runtime or None,
            podman_seccomp_path=config.sandbox_podman_seccomp_path or seccomp_path(),
            pool_size=config.sandbox_pool_size,
            parallelism=config.sandbox_parallelism,
            require_limits=config.requires_sandbox_limits,
        ),
        claim_lock=_claim_lock,
        on_claim=claimed.set,
    )


def service() -> str:
    """Return the label of this installation's containers: another installation may share the engine."""
    row = LeaderLease.objects.filter(pk=1).first() or LeaderLease.objects.get_or_create(pk=1)[0]
    return f"kiok-gitsync-{row.installation}"


def labels(repository: str, run: SyncRun | None) -> tuple[tuple[str, str], ...]:
    """Return the labels of a container, among them its sync, or its process for a dry run."""
    sync = str(run.pk) if run else process_name()
    return (
        *((LABEL_SERVICE, service()), (LABEL_REPOSITORY, repository), (LABEL_SYNC, sync)),
        *([(LABEL_CORRELATION, known)] if (known := correlation.current()) else []),
    )


def image_digests(formats: Iterable[str], images: Mapping[str, str]) -> dict[str, str]:
    """Return the digests of the images that are available now, by format. Formats without an image are left out.

    `images` are those that a repository configures itself.
    """
    digests, wanted = {}, set(formats)
    for language in languages():
        if language.name not in wanted:
            continue
        try:
            digests[language.name] = sandbox().image_digest(language, images.get(language.name, ""))
        except SandboxUnavailable:
            continue
    return digests


def limits_fingerprint() -> str:
    """Return a digest of the sandbox limits that can change a result."""
    return _limits().fingerprint()


def sweep() -> int:
    """Remove the containers of syncs that have ended; return how many, 0 without an engine."""
    try:
        return len(remove_orphans(sandbox().engine, service(), _is_alive))
    except SandboxUnavailable:
        return 0


def fill_pool(keeper: str) -> Filled:
    """Fill the warm pool in the name of a process. Raises SandboxUnavailable."""
    return sandbox().pool.fill(service(), keeper)


@contextmanager
def _claim_lock(place: str) -> Iterator[bool]:
    """Try to take a lock that all workers share; PostgreSQL releases it when the session of a killed worker ends.

    The lock belongs to a transaction, not a session: a pooler in transaction mode hands the session to another client.
    """
    key = int.from_bytes(hashlib.sha256(place.encode()).digest()[:8], signed=True)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [key])
        yield bool(cursor.fetchone()[0])


def clear_pool() -> None:
    """Remove warm containers that ended processes of this machine created. Does nothing without an engine."""
    with suppress(SandboxUnavailable):
        sandbox().pool.clear(service(), is_dead)


def _is_alive(owner: str) -> bool:
    """Return whether the owner of a container is alive. Called after the containers are listed, to count new syncs.

    A sync is alive while its worker holds the repository's lease: the row of a killed sync says "running" until the
    repository's next sync.
    """
    if not owner.isdecimal():
        return not is_dead(owner)
    return any(
        not is_dead(holder)
        for holder in SyncRun.objects.filter(
            pk=int(owner),
            state=SyncState.RUNNING,
            lease_number=F("repository__lease_number"),
            repository__lease_expires_at__gt=Now(),
        ).values_list("repository__lease_holder", flat=True)
    )


@lru_cache(maxsize=1)
def _limits() -> SandboxLimits:
    return SandboxLimits.of(properties().get)
