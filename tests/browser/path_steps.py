"""The numbered steps of docs/quickstart.md, and what each quotes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.support.documents import QUICKSTART, section

_STEP = re.compile(r"^\d+\. \*\*(.+?)\.\*\* (.*?)(?=^\d+\. |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^( *)```\w*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
_QUOTED = re.compile(r'"([^"]+)"')


@dataclass
class Step:
    """A numbered step of the document. `step("Save")` is that text, if the step quotes it, as text or as code.

    `block` is its indented block of code. `unused` are the quotations that no test has used.
    """

    title: str
    quotations: frozenset[str]
    block: str
    unused: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, title: str, text: str) -> Step:
        block = _BLOCK.search(text)
        indent = len(block[1]) if block else 0
        code = "".join(f"{line[indent:]}\n" for line in block[2].splitlines()) if block else ""
        prose = re.sub(r"\s+", " ", _BLOCK.sub("", text))
        quotations = frozenset(_CODE.findall(prose)) | frozenset(_QUOTED.findall(_CODE.sub("", prose)))
        return cls(title, quotations, code, set(quotations))

    def __call__(self, text: str) -> str:
        assert text in self.quotations, f"{self.title}: the step does not quote {text!r}"
        self.unused.discard(text)
        return text


def steps() -> list[Step]:
    """The document's, in their order."""
    return [Step.of(title, text) for title, text in _STEP.findall(section(QUICKSTART, "Quickstart"))]
