"""Remedy for each reason of a repository, a sync or a connection, as in docs/reference/reasons.md."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gitsync.errors import SyncReason
from gitsync.git.errors import GitReason
from kiok.connections.errors import ConnectionReason

REMEDIES: Mapping[StrEnum, str] = {
    GitReason.NETWORK: "Check that the machine can reach the server: name, port, firewall, proxy.",
    GitReason.TIMEOUT: "Check the server's speed; raise kiok.gitsync.git.timeout.ms for a large repository.",
    GitReason.SERVER_ERROR: "Ask the server's operator; for 429, increase the interval.",
    GitReason.BUSY: (
        "Wait. If it never ends, manage.py gitsync --list --json shows the process that holds the repository "
        "as held_by: stop that process."
    ),
    GitReason.DISK_FULL: (
        "Free space where the message says: under kiok.base.data.dir, in the temporary folder, or on the database's disk."
    ),
    GitReason.MIRROR_BROKEN: "The next fetch creates a new mirror; if it happens again, check the disk.",
    GitReason.UNKNOWN: "The message quotes git's error; act on that.",
    GitReason.AUTHENTICATION_FAILED: "Check the connection's properties, and that the account may read the repository.",
    GitReason.CREDENTIAL_INVALID: "Correct the property that the message names; it says what is wrong with the value.",
    GitReason.HOST_KEY_UNKNOWN: (
        "Compare the fingerprint with the one that the server's operator publishes. Then accept it with "
        '"Test connection", or add the line in the message to knownHosts.'
    ),
    GitReason.HOST_KEY_CHANGED: (
        "Ask the server's operator whether the key is new. If so, replace the line; if not, the connection may be "
        "intercepted."
    ),
    GitReason.CERTIFICATE_REFUSED: "Fix the certificate, or set kiok.gitsync.ssl.ca.info to its certificate authority.",
    GitReason.URL_INVALID: (
        "Write https://..., ssh://... or user@host:path, without a password. For the url of a page, the message suggests "
        "url, ref and subpath."
    ),
    GitReason.REF_INVALID: "Write the ref as described in Refs and folders; the message shows the fault.",
    GitReason.INCLUDE_INVALID: "Write gitignore patterns, one per line; the message names the line.",
    GitReason.SUBPATH_INVALID: "Write a relative path, without .. and without a slash at either end.",
    GitReason.PROTOCOL_NOT_ALLOWED: "Use https or ssh; kiok.gitsync.allow.protocols is for tests and demos.",
    GitReason.HOST_NOT_ALLOWED: "If the host is correct, add it to kiok.gitsync.allow.private.hosts.",
    GitReason.REDIRECT_REFUSED: "Configure the final url.",
    GitReason.REQUEST_REFUSED: (
        "Check that the url is that of a git repository. The message has the status; for 411, 413, 414 and 431 raise the "
        "limit of the proxy or web server in front of git."
    ),
    GitReason.PROXY_AUTHENTICATION_FAILED: (
        "Put user name and password into https_proxy in the service's environment, percent-encoded. For 511, sign the "
        "machine in to its network."
    ),
    GitReason.PROXY_REFUSED: "Ask the proxy's operator to allow host and port, or add the host to no_proxy.",
    GitReason.REPOSITORY_BLOCKED: (
        "Ask the repository's owner or the server's operator. Syncs continue when the block is lifted."
    ),
    GitReason.REPOSITORY_NOT_FOUND: "Correct the url; check the account's permissions.",
    GitReason.NOT_GIT: (
        "Check that the url is that of the repository, not of a page about it, and that no proxy or sign-in page "
        "answers. Over ssh, the account's login files must print nothing."
    ),
    GitReason.WEB_PAGE: (
        "Open the url in a browser. If it shows a sign-in page, choose a connection for the repository, or allow git "
        "through the proxy or single sign-on in front of the server; otherwise correct the url."
    ),
    GitReason.REPOSITORY_DAMAGED: (
        "Ask the server's operator to run git fsck there and restore the missing objects, or push the branch again from a "
        "complete clone."
    ),
    GitReason.REF_MISSING: "Correct the ref, or push it; the message names the refs that exist.",
    GitReason.COMMIT_NOT_SERVED: (
        "Follow a tag on the commit, or ask the server's operator to set uploadpack.allowReachableSHA1InWant."
    ),
    GitReason.NOT_A_COMMIT: "Move the tag, or use another ref.",
    GitReason.CONTENT_REFUSED: "Run git fsck in the repository and rewrite the objects that it names.",
    GitReason.TREE_TOO_LARGE: "Remove files that do not belong, or raise the kiok.gitsync.max.* that the message names.",
    GitReason.OUTPUT_TOO_LARGE: "Find out why the repository lists so much; often it has far too many refs or files.",
    GitReason.SIGNATURE_MISSING: "For the authors: sign it (git commit --amend -S, git tag -s) and push it.",
    GitReason.SIGNATURE_REFUSED: (
        "The message names the key that was found. If the key is legitimate, add it to the trusted keys, or ask its owner "
        "to renew it; if it is unknown, check who may push."
    ),
    GitReason.SIGNATURE_KEYS_UNUSABLE: "Enter the property, and correct the line, that the message names.",
    GitReason.UNSUPPORTED: "The message says which form; use a current git server with protocol version 2.",
    GitReason.GIT_MISSING: "Install git and the ssh client; for OpenPGP signatures, GnuPG (gpg).",
    SyncReason.FILES_FAILED: "For the authors: the messages name file, line and key.",
    SyncReason.SANDBOX_UNAVAILABLE: "Start the engine (scripts/engine.sh), or set DOCKER_HOST.",
    SyncReason.IMAGE_MISSING: (
        "Build the service's images (make images); build or pull a team's own, or correct the "
        "property or field that the message names."
    ),
    SyncReason.IMAGE_MISMATCH: "Run make images, then rebuild a team's own from them, without VOLUME.",
    SyncReason.COMPILE_FAILED: "For the authors: the message names the file.",
    SyncReason.SUBPATH_MISSING: "Correct the subpath, or push the folder.",
    SyncReason.SUBPATH_NOT_A_FOLDER: "Set the subpath to the folder that the message names, or restore the folder.",
    SyncReason.SUBPATH_MOVED: (
        "Set the subpath to the folder that the message names. To remove the DAGs instead, push the old folder with some "
        "other file in it, such as .gitkeep."
    ),
    SyncReason.TOO_MANY_DAGS: "Split the repository, or raise the limit.",
    SyncReason.WOULD_EMPTY: (
        "To prune every DAG: accept the commit (Accept on the repository's page, the API, or manage.py gitsync --now "
        "--repo NAME --accept-empty). To keep them: push a commit that contains the DAGs, or correct ref and subpath."
    ),
    SyncReason.CREDENTIAL: "The message says why: the master key, a property, or a connection that does not exist.",
    SyncReason.DECLARATION_INVALID: "Correct the declaration at the place that the message names, and restart the service.",
    SyncReason.DISABLED: "Enable the repository to sync it.",
    SyncReason.PAUSED: "Resume it when the reason no longer applies.",
    SyncReason.LEASE_LOST: (
        "None: the other worker syncs it. If it happens often, workers lack CPU time or the database is too slow."
    ),
    SyncReason.WORKER_DIED: (
        "Find out why the workers died from the kernel's log (out of memory) or the container's state (OOMKilled). Give "
        "them more memory, or ask the authors to fix the commit. A new commit, or Sync now, is tried immediately."
    ),
    SyncReason.CONFIGURATION_CHANGED: "None: a sync with the new configuration follows immediately.",
    SyncReason.INTERNAL: "See the service log, and report the fault.",
    ConnectionReason.MASTER_KEY_MISSING: "Set KIOK_MASTER_KEY, or KIOK_MASTER_KEY_FILE, and start again.",
    ConnectionReason.MASTER_KEY_TOO_SHORT: "Set a longer one, for example from openssl rand -base64 48.",
    ConnectionReason.MASTER_KEY_WRONG: "Start with the key that the connections were stored with.",
    ConnectionReason.MASTER_KEY_UNCHANGED: "Set KIOK_NEW_MASTER_KEY to a different key.",
    ConnectionReason.TAMPERED: "Enter the property again, and find out who writes to the database.",
    ConnectionReason.INVALID_PROPERTY: "Correct the property: the message names the line and the rule.",
    ConnectionReason.MALFORMED_REFERENCE: "For the authors: write ${conn.<id>.<property>} or ${secret.<id>}.",
}


def remedy(reason: str) -> str:
    """Return the remedy for a reason, for people; "" for an unknown reason."""
    return _BY_NAME.get(reason, "")


_BY_NAME = {known.value: text for known, text in REMEDIES.items()}
