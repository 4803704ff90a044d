"""The Docker engine: one client per thread and process, and clear messages when it is unavailable."""

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

from compilers.sandbox import podman
from compilers.sandbox.base import ImageMismatch, ImageMissing, SandboxUnavailable
from compilers.sandbox.config import (
    LABEL_PROTOCOL,
    LABEL_VERSIONS,
    SandboxConfig,
)
from compilers.sandbox.language import Language
from compilers.sandbox.product import Product
from compilers.sandbox.protocol import VERSION

_DIGEST_SECONDS = 5.0
_SOCKET_URL = "http+docker://localhost"
_MAX_REFUSAL = 600  # characters of an engine's message, which may repeat the whole request


class _OneSocket(UnixHTTPAdapter):
    """An adapter that keeps connections by socket, which is the same for all requests.

    docker-py keeps them by URL: one for each of the last 25 containers that a thread requested, and a new one for each
    other container. (Its `num_pools` applies to ssh only, because of the condition in `APIClient.__init__`.)
    """

    def get_connection(self, url: bytes | str, proxies: Any = None) -> Any:  # noqa: ARG002
        return super().get_connection(_SOCKET_URL, proxies)


class Engine:
    """The engine of a configuration. It is safe to share between threads and across a fork."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._local = threading.local()
        self._digests: dict[str, tuple[float, str]] = {}  # by image reference
        self._identity: tuple[str, Product] | None = None  # API version and product

    def client(self) -> docker.APIClient:
        """Return this thread's client, created in this process. Raises SandboxUnavailable.

        A connection shared across a fork or between threads mixes up responses.
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
        """Return the product of the engine, as of this process's first connection. Raises SandboxUnavailable."""
        self.client()
        assert self._identity is not None  # noqa: S101  set when the client was created
        return self._identity[1]

    def _connect(self, environment: dict[str, str]) -> docker.APIClient:
        def client(version: str) -> docker.APIClient:
            made = docker.APIClient(
                version=version,
                timeout=self._config.api_timeout_seconds,  # type: ignore[arg-type]
                **kwargs_from_env(environment=environment),
            )
            # Otherwise REQUESTS_CA_BUNDLE overrides DOCKER_CERT_PATH, and proxies are used to reach the engine.
            # https://github.com/psf/requests/issues/3829
            made.trust_env = False
            plain = made.get_adapter(made.base_url)
            if isinstance(plain, UnixHTTPAdapter):
                made.mount("http+docker://", _OneSocket(f"http+unix://{plain.socket_path}", plain.timeout))
            return made

        # Request the version once: docker-py would request it per client, and use the environment's settings for it.
        if self._identity is None:
            with closing(client(DEFAULT_DOCKER_API_VERSION)) as probe:
                answer = probe.version(api_version=False)
                self._identity = (str(answer["ApiVersion"]), Product.of(answer))
        version, product = self._identity
        made = client(version)
        if product.is_podman:
            made.hooks["response"].append(podman.correct_status)
        return made

    def image_digest(self, language: Language, image: str = "") -> str:
        """Return the id (`sha256:...`) of an image for this language, cached for a few seconds.

        `image` is a reference set by a repository, "" the configured one. Raises ImageMissing;
        ImageMismatch when it uses another protocol or declares volumes; SandboxUnavailable.
        """
        name = image or self._config.images.get(language)
        if name is None:
            raise SandboxUnavailable(
                f"no image is configured for {language.name} files ({language.image_property})"
            )
        known = self._digests.get(name)
        if known is not None and time.monotonic() - known[0] < _DIGEST_SECONDS:
            return known[1]
        named = _Named(name, language, by_repository=bool(image))
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

    def image_versions(self, language: Language) -> Mapping[str, str]:
        """Return the versions of the languages in the configured image, such as `{"Python": "3.11.2"}`.

        They are labels of the image, which may be missing on a custom one. Raises the errors of `image_digest`.
        """
        digest = self.image_digest(language)
        client = self.client()
        with self.answering():
            found = client.inspect_image(digest)  # type: ignore[no-untyped-call]
        labels = (found.get("Config") or {}).get("Labels") or {}
        return {language: labels[label] for language, label in LABEL_VERSIONS.items() if labels.get(label)}

    def ping(self) -> None:
        """Raise SandboxUnavailable if the engine does not answer."""
        client = self.client()
        with self.answering():
            client.ping()

    def forget_images(self) -> None:
        """Clear the cached image ids, so that the next use queries the engine again."""
        self._digests.clear()

    def where(self) -> str:
        """Return the engine's address, for people."""
        if self._config.engine_url is not None:
            return self._config.engine_url
        named = os.environ.get("DOCKER_HOST")
        return f"DOCKER_HOST={named}" if named else "the default socket (DOCKER_HOST is not set)"

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn the engine's errors into SandboxUnavailable, except NotFound."""
        try:
            yield
        except NotFound:
            raise
        except APIError as exc:
            output = str(exc.explanation or exc)
            raise SandboxUnavailable(
                f"the Docker engine at {self.where()} refused the request: {_shortened(output)}{podman.remedy(output)}"
            ) from exc
        except (DockerException, RequestException, OSError, ValueError) as exc:
            # docker-py passes on lower-level errors: those of requests and of the socket, and
            # ValueError for an invalid DOCKER_HOST.
            raise SandboxUnavailable(self._unreachable(exc)) from exc

    def _unreachable(self, exc: Exception) -> str:
        if _caused_by(exc, PermissionError):
            return (
                f"no permission to use the Docker engine at {self.where()}. Run the worker as a user with access "
                "(usually a member of the group docker), or set DOCKER_HOST to another engine."
            )
        return (
            f"no Docker engine answers at {self.where()} ({_root_cause(exc)}). Start it "
            "(`systemctl start docker`), install one (`apt-get install docker.io`, or scripts/engine.sh), or "
            "set DOCKER_HOST to a running one."
        )


def _shortened(text: str) -> str:
    """Return an engine's message. Cut the middle of a long one, where it quotes the request."""
    if len(text) <= _MAX_REFUSAL:
        return text
    half = _MAX_REFUSAL // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters ...] {text[-half:]}"


@dataclass(frozen=True, slots=True)
class _Named:
    """An image in messages: where it is set, and the remedies."""

    name: str
    language: Language
    by_repository: bool

    def __str__(self) -> str:
        return f"the image {self.name!r} for {self.language.name} files, named by {self._where},"

    @property
    def _where(self) -> str:
        return (
            f"the repository ({self.language.image_field})"
            if self.by_repository
            else self.language.image_property
        )

    @property
    def how_to_build(self) -> str:
        if not self.by_repository:
            return "Build it with `make images`"
        return "Build it FROM the current base of `make images` and load it into that engine"

    @property
    def how_to_change(self) -> str:
        if not self.by_repository:
            return f"set another one in {self.language.image_property}"
        field = self.language.image_field
        return f"correct {field}; an empty {field} selects the image of {self.language.image_property}"


def _check(config: Mapping[str, Any], named: _Named) -> None:
    """Raise ImageMismatch unless an image with this configuration can be used.

    User, entrypoint, working folder and health check need no test: each container is created with its own.
    """
    speaks = (config.get("Labels") or {}).get(LABEL_PROTOCOL)
    if speaks != str(VERSION):
        raise ImageMismatch(
            f"{named} speaks sandbox protocol {speaks or 'unknown'}, this service {VERSION}. "
            f"{named.how_to_build}, or {named.how_to_change}."
        )
    if volumes := sorted(config.get("Volumes") or {}):
        raise ImageMismatch(
            f"{named} declares volumes ({', '.join(volumes)}), where a DAG file could write without limit. "
            f"Build it without VOLUME, or {named.how_to_change}."
        )


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, including those that libraries keep in `args` or `reason`."""
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
