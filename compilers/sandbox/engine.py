"""The Docker engine: one client per thread and process, and plain words when there is none."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import docker
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.transport import UnixHTTPAdapter
from docker.utils import kwargs_from_env
from requests.exceptions import RequestException

from compilers.base import ImageMismatch, ImageMissing, Kind, SandboxUnavailable
from compilers.sandbox import podman
from compilers.sandbox.config import (
    IMAGE_FIELDS,
    IMAGE_PROPERTIES,
    LABEL_PROTOCOL,
    LABEL_VERSIONS,
    SandboxConfig,
)
from compilers.sandbox.product import Product
from compilers.sandbox.protocol import VERSION

_DIGEST_SECONDS = 5.0
_SOCKET_URL = "http+docker://localhost"
_MAX_REFUSAL = 600  # characters of what an engine says, which may repeat all that it was sent


class _OneSocket(UnixHTTPAdapter):
    """Keeps its connections by the socket, which is the same for all that is asked.

    docker-py keeps them by url: one for each of the last 25 containers that a thread asked about, and a new one for each
    that it had not asked about yet. (Its `num_pools` is for ssh alone: the condition in `APIClient.__init__` binds so.)
    """

    def get_connection(self, url: bytes | str, proxies: Any = None) -> Any:  # noqa: ARG002
        return super().get_connection(_SOCKET_URL, proxies)


class Engine:
    """The engine a configuration names. Safe to share between threads and across a fork."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._local = threading.local()
        self._digests: dict[str, tuple[float, str]] = {}  # by image reference
        self._identity: tuple[str, Product] | None = None  # the version of the API, and who speaks it

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

    @property
    def product(self) -> Product:
        """The product that answers, as it was when this process first connected. Raises SandboxUnavailable."""
        self.client()
        assert self._identity is not None  # noqa: S101  the client was made with it
        return self._identity[1]

    def _connect(self, environment: dict[str, str]) -> docker.APIClient:
        def client(version: str) -> docker.APIClient:
            made = docker.APIClient(
                version=version,
                timeout=self._config.api_timeout_seconds,  # type: ignore[arg-type]
                **kwargs_from_env(environment=environment),
            )
            # Else REQUESTS_CA_BUNDLE would overrule DOCKER_CERT_PATH, and proxies stand before the engine.
            # https://github.com/psf/requests/issues/3829
            made.trust_env = False
            plain = made.get_adapter(made.base_url)
            if isinstance(plain, UnixHTTPAdapter):
                made.mount("http+docker://", _OneSocket(f"http+unix://{plain.socket_path}", plain.timeout))
            return made

        # Asks for the version itself, once: left to docker-py, every client would, and still trust the environment.
        if self._identity is None:
            with closing(client(DEFAULT_DOCKER_API_VERSION)) as probe:
                answer = probe.version(api_version=False)
                self._identity = (str(answer["ApiVersion"]), Product.of(answer))
        version, product = self._identity
        made = client(version)
        if product.is_podman:
            made.hooks["response"].append(podman.correct_status)
        return made

    def image_digest(self, kind: Kind, image: str = "") -> str:
        """The id (`sha256:...`) of an image for this kind, looked up at most every few seconds.

        `image` is a reference that a repository names, "" the configured one. Raises ImageMissing;
        ImageMismatch when it speaks another protocol or declares volumes; SandboxUnavailable.
        """
        name = image or self._config.images.get(kind)
        if name is None:
            raise SandboxUnavailable(f"no image is configured for {kind.value} files ({_property(kind)})")
        known = self._digests.get(name)
        if known is not None and time.monotonic() - known[0] < _DIGEST_SECONDS:
            return known[1]
        named = _Named(name, kind, by_repository=bool(image))
        client = self.client()
        try:
            with self.answering():
                found = client.inspect_image(name)  # type: ignore[no-untyped-call]
        except (ImageNotFound, NotFound) as exc:
            raise ImageMissing(
                f"{named} is not on the engine at {self.where()}. {named.how_to_build}, or {named.how_to_change}."
            ) from exc
        _check(found.get("Config") or {}, named)
        digest = str(found["Id"])
        self._digests[name] = (time.monotonic(), digest)
        return digest

    def image_versions(self, kind: Kind) -> Mapping[str, str]:
        """Return the versions of the languages in the configured image by language, such as `{"Python": "3.11.2"}`.

        They are labels of the image; one that was built by other means may have none. Raises as `image_digest` does.
        """
        digest = self.image_digest(kind)
        client = self.client()
        with self.answering():
            found = client.inspect_image(digest)  # type: ignore[no-untyped-call]
        labels = (found.get("Config") or {}).get("Labels") or {}
        return {language: labels[label] for language, label in LABEL_VERSIONS.items() if labels.get(label)}

    def ping(self) -> None:
        """Raises SandboxUnavailable if it does not answer."""
        client = self.client()
        with self.answering():
            client.ping()

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
            said = str(exc.explanation or exc)
            raise SandboxUnavailable(
                f"the Docker engine at {self.where()} refused: {_shortened(said)}{podman.remedy(said)}"
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


def _shortened(text: str) -> str:
    """Return what an engine said; of a long text its beginning and its end, between which it quotes what it was given."""
    if len(text) <= _MAX_REFUSAL:
        return text
    half = _MAX_REFUSAL // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters ...] {text[-half:]}"


def _property(kind: Kind) -> str:
    return IMAGE_PROPERTIES.get(kind, "the sandbox's images")


@dataclass(frozen=True, slots=True)
class _Named:
    """An image as messages speak of it: by whom it is named, and what can be done about it."""

    name: str
    kind: Kind
    by_repository: bool

    def __str__(self) -> str:
        return f"the image {self.name!r} for {self.kind.value} files, named by {self._where},"

    @property
    def _where(self) -> str:
        return f"the repository ({IMAGE_FIELDS[self.kind]})" if self.by_repository else _property(self.kind)

    @property
    def how_to_build(self) -> str:
        if not self.by_repository:
            return "Build it with `make images`"
        return "Build it FROM the current base of `make images` and put it there"

    @property
    def how_to_change(self) -> str:
        if not self.by_repository:
            return f"name another one in {_property(self.kind)}"
        field = IMAGE_FIELDS[self.kind]
        return f"correct {field}; an empty {field} means the one of {_property(self.kind)}"


def _check(config: Mapping[str, Any], named: _Named) -> None:
    """Raises ImageMismatch unless an image of this configuration can serve.

    User, entrypoint, folder and health check need no look: every container is told its own.
    """
    speaks = (config.get("Labels") or {}).get(LABEL_PROTOCOL)
    if speaks != str(VERSION):
        raise ImageMismatch(
            f"{named} speaks sandbox protocol {speaks or 'unknown'}, this service {VERSION}. "
            f"{named.how_to_build}, or {named.how_to_change}."
        )
    if volumes := sorted(config.get("Volumes") or {}):
        raise ImageMismatch(
            f"{named} declares volumes ({', '.join(volumes)}): folders that a DAG file could write without limit. "
            f"Build it without VOLUME, or {named.how_to_change}."
        )


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
