"""What the log lines, rows and containers of one undertaking have in common: an id, and whose repository it is about.

The id is made, or taken from whoever asks, where something is asked for: by the leader's look, a request, a webhook, a
command. It goes with the task to the worker. Threads begin without it: whoever starts one for the same undertaking runs it
in a copy of the context (`contextvars.copy_context`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

MAX_CHARACTERS = 64
ID = "correlation_id"

# What may stand in a header, a container's name and a label, and needs no quotes anywhere.
_WELL_FORMED = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_CHARACTERS - 1}}}")
_NOTHING: Mapping[str, str] = MappingProxyType({})
_bound: ContextVar[Mapping[str, str]] = ContextVar("kiok_correlation", default=_NOTHING)


def made() -> str:
    """A fresh id: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def is_well_formed(text: str) -> bool:
    """Whether an id from outside can be taken: 1 to 64 of `A-Z a-z 0-9 . _ -`, the first a letter or digit."""
    return _WELL_FORMED.fullmatch(text) is not None


def taken(text: str) -> str:
    """The id from outside if it is well-formed, else a fresh one."""
    return text if is_well_formed(text) else made()


def current() -> str:
    """The id of what is under way here; "" where nothing is."""
    return _bound.get().get(ID, "")


def fields() -> Mapping[str, str]:
    """All that is bound here, by name: `correlation_id`, `repository`."""
    return _bound.get()


@contextmanager
def bound(correlation_id: str = "", *, repository: str = "") -> Iterator[str]:
    """Have the block go by this id, and be about this repository; what is empty stays as it is around the block.

    Where there is no id even around it, a fresh one is made. Yields the id.
    """
    known = {ID: correlation_id or current() or made(), "repository": repository}
    token = _bound.set({**_bound.get(), **{name: value for name, value in known.items() if value}})
    try:
        yield known[ID]
    finally:
        _bound.reset(token)
