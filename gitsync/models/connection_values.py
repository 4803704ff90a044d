"""What is wrong with values that are entered into a connection, said in its form rather than at the next sync."""

from __future__ import annotations

from collections.abc import Mapping

from gitsync.git.private_key import normalized_key
from gitsync.git.secret_text import wrong_ends, wrong_token


def wrong_values(kind: str, values: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the properties of a connection of this type (`Connection.Type`); no value is repeated.

    Only those of git credentials are known here: what a DAG's secret or password may be is its own affair.
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
