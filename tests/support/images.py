"""Sandbox images as a team would build them: FROM the service's own, without network."""

from __future__ import annotations

import io
import secrets
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import docker
from docker.errors import APIError, ImageNotFound

BUILD_SECONDS = 600
# A container is removed in the background, and keeps its image until then.
GONE_SECONDS = 180.0
_CONFLICT = 409


@contextmanager
def image_from(base: str, instructions: str = "", files: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the tag of an image of these Dockerfile lines over `base`; `files` is the build context. Removed at the end."""
    tag = f"kiok-test-image:{secrets.token_hex(8)}"
    # Without the label, equal instructions in two test processes would make one image, which the first removes.
    dockerfile = f"FROM {base}\nLABEL kiok.test.image={tag}\n{instructions}\n"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for path, content in {**(files or {}), "Dockerfile": dockerfile}.items():
            member = tarfile.TarInfo(path)
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))
    context.seek(0)
    client = docker.from_env(timeout=BUILD_SECONDS)
    try:
        made, _ = client.images.build(
            fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True, network_mode="none"
        )
        try:
            yield tag
        finally:
            _remove(client, tag)
            # Without its name, where a test has given that to another image.
            with suppress(ImageNotFound):
                if not client.images.get(made.id).tags:
                    _remove(client, str(made.id))
    finally:
        client.close()


def _remove(client: docker.DockerClient, image: str) -> None:
    """Remove an image without force, which would only untag an image that is in use, and leave it forever."""
    until = time.monotonic() + GONE_SECONDS
    while True:
        try:
            client.images.remove(image)
            return
        except ImageNotFound:
            return
        except APIError as exc:
            if exc.status_code != _CONFLICT or time.monotonic() > until:
                raise
        time.sleep(0.2)
