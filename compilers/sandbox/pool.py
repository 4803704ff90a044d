"""Warm containers: started in advance, claimed by the first process that needs one, used once.

The engine itself is the registry, so that processes share nothing else. A warm container has the name of its slot in
the pool; renaming it claims it. Its driver has imported its modules and waits for a request for a limited time, so that
the container ends even if this process never returns.

    kiok-pool-<service>-<spec hash>-<slot>-making  starting
    kiok-pool-<service>-<spec hash>-<slot>         warm
    kiok-sandbox-<random>.<owner>[.<correlation>]  claimed; the owner is the sync, in hex

The engine finds a container before it locks it, so two simultaneous renames may both succeed. A claim therefore
holds a lock of the slot, which all processes that share the pool must share.

The spec hash covers everything that defines a container: image, limits, isolation layers. If one changes, the slot gets
another name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from docker.errors import APIError, NotFound

from compilers.sandbox.base import ImageMismatch, ImageMissing, SandboxJob, SandboxUnavailable
from compilers.sandbox.config import (
    LABEL_KEEPER,
    LABEL_POOL,
    LABEL_SANDBOX,
    LABEL_SERVICE,
    SandboxConfig,
)
from compilers.sandbox.container import (
    Attached,
    attach,
    claimed_name,
    container_options,
    remove,
    remove_named,
)
from compilers.sandbox.engine import Engine
from compilers.sandbox.language import Language

log = logging.getLogger(__name__)

WAIT_SECONDS = 600.0  # a warm container without work ends itself after this; the next `fill` starts another

_CONFLICT = 409
_MAKING = "-making"


# Locks a slot, named by a string, against all other processes, without waiting. Entering returns whether it is held.
Lock = Callable[[str], AbstractContextManager[bool]]


@dataclass(frozen=True, slots=True)
class Filled:
    """The result of filling a pool.

    `started` containers were started now, `ready` are warm now (started by any process). `complaints` are image
    problems due to which a language cannot be compiled.
    """

    started: int
    ready: int
    complaints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A container that is warm or starting. `keeper` names the process that started it."""

    id: str
    keeper: str


class _ThreadsLock:
    """A lock within one process only."""

    def __init__(self) -> None:
        self._held = threading.Lock()

    @contextlib.contextmanager
    def __call__(self, _place: str) -> Iterator[bool]:
        is_ours = self._held.acquire(blocking=False)
        try:
            yield is_ours
        finally:
            if is_ours:
                self._held.release()


class Pool:
    """The warm containers of one configuration, `config.pool_size` per language.

    It is safe to use from several threads and processes.
    """

    def __init__(
        self,
        engine: Engine,
        config: SandboxConfig,
        lock: Lock | None = None,
        on_claim: Callable[[], None] = lambda: None,
    ) -> None:
        """`lock`: see `Lock`; without one, only threads of this process exclude each other.

        `on_claim` is called whenever this process takes a warm container, before it is used.
        """
        self._engine = engine
        self._config = config
        self._lock = lock or _ThreadsLock()
        self.on_claim = on_claim

    def claim(self, job: SandboxJob) -> Attached | None:
        """Return a warm container that now belongs to this job, or None. Raises SandboxUnavailable."""
        labels = dict(job.labels)
        if not self._config.pool_size or LABEL_SERVICE not in labels:
            return None
        name = claimed_name(labels)
        for place in self._places(
            job.language, labels[LABEL_SERVICE], self._engine.image_digest(job.language, job.image)
        ):
            if self._rename(place, name):
                self.on_claim()
                try:
                    with self._engine.answering():
                        return attach(self._engine, name)
                except (NotFound, SandboxUnavailable) as exc:
                    # It may just have ended. A new container shows whether the engine is the cause.
                    log.info("the warm container %s could not be used: %s", place, exc)
                    remove(self._engine, name)
                    return None
        return None

    def _rename(self, place: str, name: str) -> bool:
        with self._lock(place) as is_ours:
            try:
                if is_ours:
                    with self._engine.answering():
                        self._engine.client().rename(place, name)
            except (NotFound, SandboxUnavailable):
                return False  # the slot is empty
            return is_ours

    def fill(self, service: str, keeper: str, languages: Iterable[Language] | None = None) -> Filled:
        """Start the missing containers, and remove those that `keeper` started with an older spec hash.

        `keeper` names the process on the containers. `languages` are by default those of the configuration. A language
        without an image has no pool. Raises SandboxUnavailable when the engine does not answer.
        """
        waiting = self._waiting(service)
        wanted: set[str] = set()
        started = lost = 0
        complaints = []
        for language in self._config.images if languages is None else languages:
            try:
                digest = self._engine.image_digest(language)
            except (ImageMissing, ImageMismatch) as exc:
                complaints.append(str(exc))
                continue
            except SandboxUnavailable as exc:
                log.debug("no warm container for %s files: %s", language.name, exc)
                continue
            for place in self._places(language, service, digest):
                wanted |= {place, _making(place)}
                if not {place, _making(place)} & waiting.keys():
                    is_ours = self._start(place, language, digest, service, keeper)
                    started += is_ours
                    lost += not is_ours
        old = {name: one for name, one in waiting.items() if name not in wanted and one.keeper == keeper}
        self._remove(old)
        if lost:
            # Another process was faster: its containers count too.
            ready = sum(not name.endswith(_MAKING) for name in self._waiting(service))
        else:
            ready = started + sum(not name.endswith(_MAKING) for name in waiting.keys() - old.keys())
        return Filled(started, ready, tuple(complaints))

    def clear(self, service: str, whose: Callable[[str], bool] = lambda _keeper: True) -> None:
        """Remove the service's warm containers whose keeper `whose` accepts. Raises SandboxUnavailable."""
        self._remove({name: one for name, one in self._waiting(service).items() if whose(one.keeper)})

    def _start(self, place: str, language: Language, digest: str, service: str, keeper: str) -> bool:
        """Start a warm container in a free slot. Return False if another process was faster.

        Two processes that list the containers at the same moment both find the slot free. The names decide: the
        slower process gets a conflict when it creates or renames its container. It removes its container by
        id, because another process may own the name by then. Raises SandboxUnavailable.
        """
        client = self._engine.client()
        making = _making(place)
        labels = {LABEL_SERVICE: service, LABEL_POOL: "1", LABEL_KEEPER: keeper}
        options = container_options(self._engine, self._config, language, labels, wait_seconds=WAIT_SECONDS)
        made = ""
        try:
            with self._engine.answering():
                made = str(client.create_container(name=making, image=digest, **options)["Id"])
                client.start(made)
                client.rename(made, place)
        except (SandboxUnavailable, NotFound) as exc:
            if _is_name_conflict(exc):
                if made:
                    remove(self._engine, made)
                return False
            if not made:  # the response to `create` may be lost while the container exists
                made = self._id_of(making, service, keeper)
            if made:
                remove(self._engine, made)
            if isinstance(exc, NotFound):
                raise SandboxUnavailable(
                    f"the image {digest[:19]} or the container {making} was just removed; it is retried"
                ) from exc
            raise
        return True

    def _id_of(self, name: str, service: str, keeper: str) -> str:
        """Return the id of a warm container of this keeper, "" if there is none."""
        with contextlib.suppress(SandboxUnavailable):
            found = self._waiting(service).get(name)
            if found and found.keeper == keeper:
                return found.id
        return ""

    def _waiting(self, service: str) -> Mapping[str, _Waiting]:
        """Return the service's containers that are warm or starting, by name."""
        with self._engine.answering():
            found = self._engine.client().containers(
                all=True,
                filters={"label": [f"{LABEL_SANDBOX}=1", f"{LABEL_POOL}=1", f"{LABEL_SERVICE}={service}"]},
            )
        named = {
            item["Names"][0].lstrip("/"): _Waiting(item["Id"], item["Labels"].get(LABEL_KEEPER, ""))
            for item in found
        }
        prefix = _prefix(service)
        return {name: one for name, one in named.items() if name.startswith(prefix)}

    def _remove(self, containers: Mapping[str, _Waiting]) -> None:
        for name, one in containers.items():
            with contextlib.suppress(NotFound, SandboxUnavailable):
                remove_named(self._engine, name, one.id)

    def _places(self, language: Language, service: str, digest: str) -> list[str]:
        recipe = self._recipe(language, digest)
        return [f"{_prefix(service)}{recipe}-{place}" for place in range(self._config.pool_size)]

    def _recipe(self, language: Language, digest: str) -> str:
        """Return a hash of everything that defines a container, except the user id, which differs in each.

        The seccomp profile is included even if the options hold only its path (Podman).
        """
        options = container_options(
            self._engine, self._config, language, {}, wait_seconds=WAIT_SECONDS, uid=0
        )
        made_of = [digest, options, self._config.seccomp_profile]
        text = json.dumps(made_of, sort_keys=True, default=vars)
        return f"{language.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _prefix(service: str) -> str:
    return f"kiok-pool-{hashlib.sha256(service.encode()).hexdigest()[:12]}-"


def _is_name_conflict(exc: Exception) -> bool:
    """Return whether the engine refused a name that another container has.

    It reports "name is not reserved" if the other container gave the name up just before the engine looked for its owner
    (https://github.com/moby/moby/blob/v20.10.24/daemon/names.go, `reserveName`).
    """
    cause = exc.__cause__
    return isinstance(cause, APIError) and (
        cause.status_code == _CONFLICT or "name is not reserved" in str(cause.explanation)
    )


def _making(place: str) -> str:
    return place + _MAKING
