"""The Docker engine: one client per thread and process, and plain words when there is none."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import docker
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

from compilers.base import Kind, SandboxUnavailable
from compilers.sandbox.config import IMAGE_PROPERTIES, LABEL_PROTOCOL, SandboxConfig
from compilers.sandbox.protocol import VERSION

_DIGEST_SECONDS = 5.0


class Engine:
    """The engine a configuration names. Safe to share between threads and across a fork."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._local = threading.local()
        self._digests: dict[Kind, tuple[float, str]] = {}
        self._api_version: str | None = None

    def client(self) -> docker.APIClient:
        """This thread's client, made in this process. Raises SandboxUnavailable.

        A connection shared across a fork or between threads mixes up answers.
        """
        known: tuple[int, docker.APIClient] | None = getattr(self._local, "client", None)
        if known is not None and known[0] == os.getpid():
            return known[1]
        environment = dict(os.environ)
        if self._config.engine_url is not None:
            environment["DOCKER_HOST"] = self._config.engine_url
        with self.answering():
            made = self._connect(environment)
        self._local.client = (os.getpid(), made)
        return made

    def _connect(self, environment: dict[str, str]) -> docker.APIClient:
        def client(version: str) -> docker.APIClient:
            made = docker.from_env(
                version=version,
                timeout=self._config.api_timeout_seconds,  # type: ignore[arg-type]
                environment=environment,
            ).api
            # Else REQUESTS_CA_BUNDLE would overrule DOCKER_CERT_PATH, and proxies stand before the engine.
            # https://github.com/psf/requests/issues/3829
            made.trust_env = False
            return made

        # Asks for the version itself, once: left to docker-py, every client would, and still trust the environment.
        if self._api_version is None:
            with closing(client(DEFAULT_DOCKER_API_VERSION)) as probe:
                self._api_version = str(probe.version(api_version=False)["ApiVersion"])
        return client(self._api_version)

    def image_digest(self, kind: Kind) -> str:
        """The id (`sha256:...`) of the image for this kind, looked up at most every few seconds.

        Raises SandboxUnavailable when it is missing or speaks another protocol.
        """
        known = self._digests.get(kind)
        if known is not None and time.monotonic() - known[0] < _DIGEST_SECONDS:
            return known[1]
        name = self._config.images.get(kind)
        if name is None:
            raise SandboxUnavailable(f"no image is configured for {kind.value} files ({_property(kind)})")
        client = self.client()
        try:
            with self.answering():
                image = client.inspect_image(name)  # type: ignore[no-untyped-call]
        except (ImageNotFound, NotFound) as exc:
            raise SandboxUnavailable(
                f"the image {name!r} for {kind.value} files is not on the engine at {self.where()}. "
                f"Build it with `make images`, or name another one in {_property(kind)}."
            ) from exc
        labels = (image.get("Config") or {}).get("Labels") or {}
        speaks = labels.get(LABEL_PROTOCOL)
        if speaks != str(VERSION):
            raise SandboxUnavailable(
                f"the image {name!r} for {kind.value} files speaks sandbox protocol {speaks or 'unknown'}, "
                f"this service {VERSION}. Build it anew with `make images`, or name another one in "
                f"{_property(kind)}."
            )
        digest = str(image["Id"])
        self._digests[kind] = (time.monotonic(), digest)
        return digest

    def forget_images(self) -> None:
        """Look every image up anew next time."""
        self._digests.clear()

    def where(self) -> str:
        """Where the engine is looked for, in words."""
        if self._config.engine_url is not None:
            return self._config.engine_url
        named = os.environ.get("DOCKER_HOST")
        return f"DOCKER_HOST={named}" if named else "the default socket (DOCKER_HOST is not set)"

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn the engine's failures into SandboxUnavailable; a thing not found stays NotFound."""
        try:
            yield
        except NotFound:
            raise
        except APIError as exc:
            raise SandboxUnavailable(
                f"the Docker engine at {self.where()} refused: {exc.explanation or exc}"
            ) from exc
        except (DockerException, RequestException, OSError, ValueError) as exc:
            # docker-py lets through what lies below it: requests' errors, the socket's own, and
            # ValueError for a DOCKER_HOST it cannot read.
            raise SandboxUnavailable(self._unreachable(exc)) from exc

    def _unreachable(self, exc: Exception) -> str:
        if _caused_by(exc, PermissionError):
            return (
                f"no permission to use the Docker engine at {self.where()}. Run the worker as a user who may "
                "(mostly a member of the group docker), or set DOCKER_HOST to another engine."
            )
        return (
            f"no Docker engine answers at {self.where()} ({_root_cause(exc)}). Start it "
            "(`systemctl start docker`), install one (`apt-get install docker.io`, or scripts/engine.sh), or "
            "set DOCKER_HOST to one that runs."
        )


def _property(kind: Kind) -> str:
    return IMAGE_PROPERTIES.get(kind, "the sandbox's images")


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, also where libraries keep it in `args` or `reason`."""
    waiting: list[object] = [exc]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _caused_by(exc: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(one, kind) for one in _chain(exc))


def _root_cause(exc: BaseException) -> str:
    for one in _chain(exc):
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
    return str(exc)[:300]
