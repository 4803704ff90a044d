"""References to container images: `[registry/]name[:tag][@sha256:digest]`."""

from __future__ import annotations

import re

MAX_IMAGE_CHARACTERS = 255

_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REGISTRY = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?"
# https://github.com/distribution/reference/blob/main/reference.go
IMAGE = re.compile(
    rf"(?:{_REGISTRY}/)?{_NAME}(?:/{_NAME})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)


def image_flaw(text: str) -> str | None:
    """Return why `text` is not a reference to an image, without the text itself; None if it is one."""
    if not text:
        return "empty"
    if len(text) > MAX_IMAGE_CHARACTERS:
        return f"longer than {MAX_IMAGE_CHARACTERS} characters"
    if not IMAGE.fullmatch(text):
        return (
            "not an image reference such as team-python:1 or registry.example.com/kiok/python@sha256:<64 hexadecimal "
            "digits>; names are in lower case"
        )
    return None
