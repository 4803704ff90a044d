"""Implementation of "Test connection": one `ls-remote` with a repository's own credential, explained in words.

It sends the same request as the first one of a sync and changes nothing. Only `accept_host_key` writes: it adds a
host key to the repository's connection that has none for the host yet.
"""

from __future__ import annotations

import binascii
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.utils import timezone

from gitsync.errors import SyncError, SyncReason
from gitsync.git.credentials import SshCredential, known_hosts_name
from gitsync.git.errors import GitError, GitReason
from gitsync.git.failure import host_key_fingerprint
from gitsync.git.known_hosts import keys_for, with_key
from gitsync.git.remote_refs import list_refs
from gitsync.models import Repository
from gitsync.sync.backoff import poll_now
from gitsync.sync.probe import configuration_digest
from gitsync.sync.remote import MAX_NAME_CHARACTERS, Remote, client, find_ref, remote_of
from kiok.connections.models import Connection
from kiok.errors import KiokError

SHOWN_REFS = 30  # branches, and tags, that are named; the rest is counted
KNOWN_HOSTS = "knownHosts"


class HostKeyNotAccepted(KiokError):
    """Error for a host key that was not accepted. Nothing was written; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class RemoteCheck:
    """Answer of the server, or the reason for none. Every field may be shown to users.

    `reason` is "" if a sync would find its ref, else the name of a GitReason or SyncReason; `message` says the same in
    words. `branches` and `tags` are the first `SHOWN_REFS` of `n_branches` and `n_tags`, the default branch first.
    `commit` is the commit of the ref, "" if there is none. `subpath_found` is None if only a sync can tell. `host` is
    the ssh host as in `knownHosts` ("" for other schemes), `known_keys` are the fingerprints stored for it,
    `presented_key` is that of the refused key: `<type> SHA256:...`. `acceptable`: `accept_host_key` may accept it.
    `config` is the repository's `config_hash`, `checked_at` is ISO 8601.
    """

    reason: str
    message: str
    branches: tuple[str, ...] = ()
    n_branches: int = 0
    tags: tuple[str, ...] = ()
    n_tags: int = 0
    default_branch: str = ""
    commit: str = ""
    subpath_found: bool | None = None
    subpath_message: str = ""
    host: str = ""
    known_keys: tuple[str, ...] = ()
    presented_key: str = ""
    acceptable: bool = False
    config: str = ""
    checked_at: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a task's result."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RemoteCheck:
        """Restore the object from the output of `to_json`. Raises TypeError for anything else."""
        lists = {name: tuple(value.get(name, ())) for name in ("branches", "tags", "known_keys")}
        return cls(**{**value, **lists})


def check(repository: Repository) -> RemoteCheck:
    """List the refs of the repository's remote. Takes at most the time limit of one git command.

    A fault of the configuration, the credential or the server becomes the reason of the result.
    """
    began = time.monotonic()
    found = _check(repository)
    return replace(
        found,
        config=repository.config_hash,
        checked_at=timezone.now().isoformat(),
        seconds=time.monotonic() - began,
    )


def _check(repository: Repository) -> RemoteCheck:
    try:
        remote = remote_of(repository)
    except (GitError, SyncError) as error:
        return RemoteCheck(str(error.reason), str(error))
    host, known = _known(remote)
    fingerprints = tuple(_fingerprint(key) for key in known)
    try:
        refs = list_refs(client(), remote.url, remote.credential)
    except GitError as error:
        presented = error.presented_host_key
        return RemoteCheck(
            str(error.reason),
            str(error),
            host=host,
            known_keys=fingerprints,
            presented_key=_fingerprint(presented) if presented else "",
            acceptable=bool(presented) and error.reason is GitReason.HOST_KEY_UNKNOWN and not known,
        )
    commit, reason, message = find_ref(remote, refs)
    subpath_found, subpath_message = _find_subpath(repository, remote.subpath, commit)
    if subpath_found is False:
        reason, message = SyncReason.SUBPATH_MISSING, f"{message} {subpath_message}"
    return RemoteCheck(
        reason,
        message,
        branches=_shown(refs.branches, refs.default_branch),
        n_branches=len(refs.branches),
        tags=_shown(refs.tags),
        n_tags=len(refs.tags),
        default_branch=refs.default_branch[:MAX_NAME_CHARACTERS],
        commit=commit,
        subpath_found=subpath_found,
        subpath_message=subpath_message,
        host=host,
        known_keys=fingerprints,
    )


def accept_host_key(repository: Repository, fingerprint: str, *, user_id: int | None = None) -> None:
    """Write the key that the repository's ssh server presents now into its connection's `knownHosts`.

    `fingerprint` is the one that a person has seen and compared, as in `RemoteCheck.presented_key`; the server must
    present the key with exactly that fingerprint again. Only a first key is accepted: if the connection has any key for
    this host, nothing is written, because a person must decide about a changed key. Accepting the same key again has no
    effect. The repository is due immediately. With `user_id`, the change is written to the admin's log.
    Raises HostKeyNotAccepted.
    """
    try:
        remote = remote_of(repository)
    except (GitError, SyncError) as error:
        raise HostKeyNotAccepted(f"No host key was accepted: {error}") from error
    if not isinstance(remote.credential, SshCredential):
        raise HostKeyNotAccepted(
            "No host key was accepted: that requires an ssh url and a connection to store the key in."
        )
    host, known = _known(remote)
    if known:
        _require_same(host, known, fingerprint)
        return
    presented = _presented(remote)
    if _fingerprint(presented) != fingerprint:
        raise HostKeyNotAccepted(
            f"No host key was accepted: {host} now presented {_fingerprint(presented)}, not {fingerprint[:200]} "
            "as shown before. The connection may be intercepted: ask the server's operator before you test again."
        )
    with transaction.atomic():
        connection = Connection.objects.select_for_update().get(pk=repository.credential_id)
        try:
            text = connection.properties().get(KNOWN_HOSTS, "")
            if known := keys_for(text, host):  # added since it was read above
                _require_same(host, known, fingerprint)
                return
            connection.update_properties({KNOWN_HOSTS: with_key(text, host, presented)})
        except (KiokError, ValueError) as error:
            raise HostKeyNotAccepted(f"No host key was accepted: {error}") from error
        repository.credential = connection  # replaces the copy without the host key
        poll_now(repository)
        repository.save(update_fields=["next_due_at", "consecutive_failures"])
        if user_id is not None:
            # Users who cannot see the repository can see the connection's history.
            _record(user_id, connection, f"Accepted the host key of {host}: {fingerprint}")
            into = f"into connection {connection.pk}"
            _record(user_id, repository, f"Accepted the host key of {host} {into}: {fingerprint}")


def _record(user_id: int, changed: Connection | Repository, message: str) -> None:
    LogEntry.objects.log_actions(user_id, [changed], CHANGE, change_message=message, single_object=True)


def _presented(remote: Remote) -> str:
    """Return the unknown key that the server presents. Raises HostKeyNotAccepted if it is none or a changed one."""
    try:
        list_refs(client(), remote.url, remote.credential)
    except GitError as error:
        if error.reason is GitReason.HOST_KEY_UNKNOWN and error.presented_host_key:
            return error.presented_host_key
        raise HostKeyNotAccepted(f"No host key was accepted: {error}") from error
    raise HostKeyNotAccepted("No host key was accepted: the server's key is already known. Test again.")


def _require_same(host: str, known: Iterable[str], fingerprint: str) -> None:
    fingerprints = [_fingerprint(key) for key in known]
    if fingerprint not in fingerprints:
        raise HostKeyNotAccepted(
            f"No host key was accepted: the connection's knownHosts has {', '.join(fingerprints)} for {host}. "
            "Only a first key can be accepted here; if the server's operator confirms that the key has changed, "
            "replace the line in the connection's properties."
        )


def _known(remote: Remote) -> tuple[str, tuple[str, ...]]:
    """Return the host's name in `knownHosts` and the keys stored for it; `("", ())` for schemes other than ssh."""
    if remote.url.scheme != "ssh":
        return "", ()
    host = known_hosts_name(remote.url)
    text = remote.credential.known_hosts if isinstance(remote.credential, SshCredential) else ""
    return host, keys_for(text, host)


def _fingerprint(key: str) -> str:
    """Return the fingerprint of a key as `[@marker ]<type> SHA256:...`."""
    marker, _, rest = key.rpartition(" ")[0].rpartition(" ")
    try:
        shown = host_key_fingerprint(f"{rest} {key.rpartition(' ')[2]}")
    except (binascii.Error, ValueError):
        shown = f"{rest[:40]} (unreadable)"
    return f"{marker} {shown}" if marker else shown


_WITHOUT_FOLDER = (SyncReason.SUBPATH_MISSING, SyncReason.SUBPATH_NOT_A_FOLDER, SyncReason.SUBPATH_MOVED)


def _find_subpath(repository: Repository, subpath: str, commit: str) -> tuple[bool | None, str]:
    """Return whether the folder exists, as far as earlier syncs show: a listing of refs contains no folders."""
    if not subpath:
        return True, "The whole repository is synced."
    seen = repository.synced_location == repository.location
    if commit and commit == repository.last_good_commit and seen:
        return True, f"The last sync found {subpath!r} in this commit."
    judged = repository.last_outcome
    known_to_lack = judged.get("reason") in _WITHOUT_FOLDER and judged.get("commit") == commit
    if commit and known_to_lack and judged.get("config") == configuration_digest(repository):
        return False, f"The last sync found no folder {subpath!r} in this commit."
    if seen:
        return (
            None,
            f"{subpath!r} existed at commit {repository.last_good_commit[:10]}; the next sync checks it again.",
        )
    return None, f"The next sync checks whether the folder {subpath!r} exists."


def _shown(names: Iterable[str], first: str = "") -> tuple[str, ...]:
    ordered = sorted(names, key=lambda name: (name != first, name))
    return tuple(name[:MAX_NAME_CHARACTERS] for name in ordered[:SHOWN_REFS])
