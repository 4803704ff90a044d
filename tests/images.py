"""Sandbox images as a team would build them: FROM the service's own, without network."""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import docker

BUILD_SECONDS = 120


@contextmanager
def image_from(base: str, instructions: str = "", files: Mapping[str, str] | None = None) -> Iterator[str]:
    """The tag of an image of these Dockerfile lines over `base`; `files` is the build context. Removed at the end."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for path, content in {**(files or {}), "Dockerfile": f"FROM {base}\n{instructions}\n"}.items():
            member = tarfile.TarInfo(path)
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))
    context.seek(0)
    tag = f"kiok-test-image:{secrets.token_hex(8)}"
    client = docker.from_env(timeout=BUILD_SECONDS)
    try:
        client.images.build(
            fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True, network_mode="none"
        )
        try:
            yield tag
        finally:
            client.images.remove(tag, force=True)
    finally:
        client.close()
