"""The images that a repository names for its own files: one field for each language, values by format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, RegexValidator

_IMAGE_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
# https://github.com/distribution/reference/blob/main/reference.go; as in kiok.properties.parsers.
IMAGE_PATTERN = (
    r"^(?:(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?/)?"
    rf"{_IMAGE_NAME}(?:/{_IMAGE_NAME})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?\Z"
)
_is_image = RegexValidator(
    IMAGE_PATTERN,
    "Enter an image reference such as team-python:1 or registry.example.com/kiok/python@sha256:…, "
    "in lower case and without spaces.",
)
MAX_IMAGE_CHARACTERS = 255
_VALIDATORS = (MaxLengthValidator(MAX_IMAGE_CHARACTERS), _is_image)


@dataclass(frozen=True, slots=True)
class ImageField:
    """A field that names the image of one format.

    `name` is the field of forms and errors, `key` the field of the API and of declarations.
    """

    name: str
    key: str
    format: str
    label: str
    help_text: str


def image_fields() -> list[ImageField]:
    """Return the fields of all formats that are compiled in containers."""
    # Imports the compilers, which most processes with models do not need.
    from compilers.formats import FORMATS

    return [
        ImageField(
            name=re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", language.image_field),
            key=language.image_field,
            format=item.name,
            label=language.image_title,
            help_text=f"Image that compiles this repository's {' and '.join(f'*{suffix}' for suffix in item.suffixes)} "
            f"files, built FROM the service's {language.title} image. Empty for {language.image_property}.",
        )
        for item in FORMATS.values()
        if (language := item.language)
    ]


def images_of(values: Mapping[str, str]) -> dict[str, str]:
    """Return the images by format, from values by field name; empty ones are left out."""
    return {field.format: values[field.name] for field in image_fields() if values.get(field.name)}


def wrong_images(images: Mapping[str, str]) -> dict[str, str]:
    """Return the problem of each image that is no image reference, by field name."""
    problems = {}
    for field in image_fields():
        try:
            for validate in _VALIDATORS if images.get(field.format) else ():
                validate(images[field.format])
        except ValidationError as exc:
            problems[field.name] = exc.messages[0]
    return problems
