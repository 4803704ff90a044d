"""The formats of DAG files. A format is one module, which defines a `FORMAT`, and one entry of `FORMATS`."""

from __future__ import annotations

from compilers.formats import jar, python, yaml
from compilers.formats.base import Format
from compilers.sandbox.language import Language
from compilers.source import suffix_of

# By name, in the order in which files are compiled.
FORMATS: dict[str, Format] = {item.name: item for item in (yaml.FORMAT, python.FORMAT, jar.FORMAT)}


def format_of(path: str) -> Format | None:
    """Return the format that a path's suffix means, in upper or lower case; None if the path is no source."""
    suffix = suffix_of(path)
    if suffix:
        for item in FORMATS.values():
            if suffix in item.suffixes:
                return item
    return None


def by_suffix() -> dict[str, Format]:
    """Return the formats by suffix, to find the formats of many paths."""
    return {suffix: item for item in FORMATS.values() for suffix in item.suffixes}


def languages() -> list[Language]:
    """Return the languages of all formats that are compiled in containers."""
    return [item.language for item in FORMATS.values() if item.language]
