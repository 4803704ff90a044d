"""Check that a repository's connections have the properties they need, by the names of the properties alone.

Nothing is decrypted: a wrong value is reported when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping

from gitsync.git.errors import GitError
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


def _lacks(connection: Connection, what: str) -> str:
    return (
        f"The connection {connection.pk!r} has {'neither' if ' nor ' in what else 'no'} {what}."
        if what
        else ""
    )
