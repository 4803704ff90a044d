"""Check that a repository's connections have the properties they need, and the values that are entered for a connection.

Stored values are not decrypted: a wrong one is reported when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping

from gitsync.git.errors import GitError
from gitsync.git.pasted_secrets import normalized_key, wrong_ends, wrong_token
from gitsync.git.url import ANY_PROTOCOL, parse_url
from kiok.connections.models import Connection


def wrong_credential(connection: Connection | None, url: str) -> str:
    """Return what the connection lacks as the credential for this url, or "". An invalid url needs no credential."""
    try:
        scheme = parse_url(url, allow_protocols=ANY_PROTOCOL).scheme
    except GitError:
        return ""
    if connection is None:
        return (
            "An ssh url needs a connection with 'privateKey', and 'knownHosts' for the server's key."
            if scheme == "ssh"
            else ""
        )
    names = set(connection.property_names())
    if scheme == "ssh":
        lacking = "" if "privateKey" in names else "'privateKey', which an ssh url needs"
    elif scheme in ("https", "http"):
        lacking = (
            "" if names & {"password", "token"} else "'password' nor 'token', one of which a web url needs"
        )
    else:
        return f"A {scheme} url takes no credential: leave it empty."
    return _lacks(connection, lacking)


def wrong_keys(connection: Connection | None) -> str:
    """Return what the connection lacks to verify signatures, or ""."""
    if connection is None or set(connection.property_names()) & {"openpgpKeys", "allowedSigners"}:
        return ""
    return _lacks(
        connection, "'openpgpKeys' nor 'allowedSigners', one of which is needed to verify signatures"
    )


def wrong_secret(connection: Connection | None) -> str:
    """Return what the connection lacks as a webhook's secret, or ""."""
    if connection is None or "secret" in connection.property_names():
        return ""
    return _lacks(connection, "'secret', with which webhooks are signed")


def wrong_connections(
    *, url: str, credential: Connection | None, keys: Connection | None, secret: Connection | None
) -> Mapping[str, str]:
    """Return the problems by the repository's field."""
    found = {
        "credential": wrong_credential(credential, url),
        "verify_keys": wrong_keys(keys),
        "webhook_secret": wrong_secret(secret),
    }
    return {field: message for field, message in found.items() if message}


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


def _lacks(connection: Connection, what: str) -> str:
    return (
        f"The connection {connection.pk!r} has {'neither' if ' nor ' in what else 'no'} {what}."
        if what
        else ""
    )
