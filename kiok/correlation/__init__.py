"""Correlation ids, which connect the log lines, rows and containers of one operation, and the name of its repository.

The id is created, or accepted from the client, where work is requested: by the leader's poll, a request, a webhook or a
command. The queued task carries it to the worker. New threads have no id: code that starts a thread for the same operation
runs it in a copy of the context (`contextvars.copy_context`).
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

# Characters that are valid in headers, container names and labels, and need no quotes anywhere.
_WELL_FORMED = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_CHARACTERS - 1}}}")
_NOTHING: Mapping[str, str] = MappingProxyType({})
_bound: ContextVar[Mapping[str, str]] = ContextVar("kiok_correlation", default=_NOTHING)


def made() -> str:
    """Return a new id: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def is_well_formed(text: str) -> bool:
    """Return whether an external id is valid: 1 to 64 of `A-Z a-z 0-9 . _ -`, the first a letter or digit."""
    return _WELL_FORMED.fullmatch(text) is not None


def taken(text: str) -> str:
    """Return the external id if it is well-formed, else a new one."""
    return text if is_well_formed(text) else made()


def current() -> str:
    """Return the id of the current operation; "" if there is none."""
    return _bound.get().get(ID, "")


def fields() -> Mapping[str, str]:
    """Return the bound fields by name: `correlation_id`, `repository`."""
    return _bound.get()


@contextmanager
def bound(correlation_id: str = "", *, repository: str = "") -> Iterator[str]:
    """Bind this id and repository for the block; an empty argument keeps the value from outside the block.

    Creates a new id if there is none outside the block either. Yields the id.
    """
    known = {ID: correlation_id or current() or made(), "repository": repository}
    token = _bound.set({**_bound.get(), **{name: value for name, value in known.items() if value}})
    try:
        yield known[ID]
    finally:
        _bound.reset(token)
