"""Validation of the values of a connection, so that its form reports a fault, not only the next sync."""

from __future__ import annotations

from collections.abc import Mapping

from gitsync.git.private_key import normalized_key
from gitsync.git.secret_text import wrong_ends, wrong_token


def wrong_values(kind: str, values: Mapping[str, str]) -> list[str]:
    """Return the faults of the properties of a connection of this type (`Connection.Type`), without their values.

    Only git credentials are checked: a DAG's secret or password may be anything.
    """
    if kind != "git":
        return []
    found = []
    if values.get("privateKey", "").strip():
        try:
            normalized_key(values["privateKey"])
        except ValueError as exc:
            found.append(f"the property 'privateKey' {exc}")
    for name, check in (("token", wrong_token), ("password", wrong_ends), ("username", wrong_ends)):
        if values.get(name, "").strip() and (wrong := check(values[name])):
            found.append(f"the property {name!r} {wrong}")
    return found
