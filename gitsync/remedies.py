"""What to do about each reason that a repository or a sync has; the table of docs/operators.md says the same."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gitsync.errors import SyncReason
from gitsync.git.errors import GitReason

REMEDIES: Mapping[StrEnum, str] = {
    GitReason.NETWORK: "See whether the machine reaches the server: name, port, firewall, proxy.",
    GitReason.TIMEOUT: "Look at the server's speed; raise kiok.gitsync.git.timeout.ms for a large repository.",
    GitReason.SERVER_ERROR: "Ask the server's operator; for 429 make the interval longer.",
    GitReason.BUSY: (
        "Wait; where it never ends, manage.py gitsync --list --json names the process that has the repository, "
        "as held_by: stop that one."
    ),
    GitReason.DISK_FULL: (
        "Make room where the message says: under kiok.base.data.dir, in the temporary folder, or under the database."
    ),
    GitReason.MIRROR_BROKEN: "The next fetch makes a new one; if it comes again, look at the disk.",
    GitReason.UNKNOWN: "The message quotes git; act on that.",
    GitReason.AUTHENTICATION_FAILED: "Check the connection's properties, and that the account may read the repository.",
    GitReason.CREDENTIAL_INVALID: "Enter the property the message names; it says what is wrong with the value.",
    GitReason.HOST_KEY_UNKNOWN: (
        "Compare the fingerprint with what the server's operator publishes; accept it with "
        '"Test connection", or add the line of the message to knownHosts.'
    ),
    GitReason.HOST_KEY_CHANGED: (
        "Ask the server's operator whether the key is new. If so, replace the line; if not, somebody "
        "listens in."
    ),
    GitReason.CERTIFICATE_REFUSED: "Mend the certificate, or name its authority in kiok.gitsync.ssl.ca.info.",
    GitReason.URL_INVALID: (
        "Write https://..., ssh://... or user@host:path, without a password. For a page, the message offers url, ref and "
        "subpath."
    ),
    GitReason.REF_INVALID: "Write it as in Refs and folders; the message names the place.",
    GitReason.INCLUDE_INVALID: "Write gitignore patterns, one a line; the message names the line.",
    GitReason.SUBPATH_INVALID: "Write it relative, without .. and without a slash at either end.",
    GitReason.PROTOCOL_NOT_ALLOWED: "Use https or ssh; kiok.gitsync.allow.protocols is for tests and demos.",
    GitReason.HOST_NOT_ALLOWED: "If it is meant, name it in kiok.gitsync.allow.private.hosts.",
    GitReason.REDIRECT_REFUSED: "Configure the final url.",
    GitReason.REQUEST_REFUSED: (
        "Is the url that of a git repository? The message has the status; for 411, 413, 414 and 431 raise the limit of "
        "the proxy or web server before git."
    ),
    GitReason.PROXY_AUTHENTICATION_FAILED: (
        "Put user name and password into https_proxy in the service's environment, percent-encoded; for 511 sign the "
        "machine in to its network."
    ),
    GitReason.PROXY_REFUSED: "Have the proxy's operator allow host and port, or name the host in no_proxy.",
    GitReason.REPOSITORY_BLOCKED: (
        "Ask the repository's owner or the server's operator; syncs go on when the block is lifted."
    ),
    GitReason.REPOSITORY_NOT_FOUND: "Correct the url; check the account's rights.",
    GitReason.NOT_GIT: (
        "Is the url that of the repository, not of a page about it? Does a proxy or sign-in page "
        "answer? Over ssh, the account's login files must print nothing."
    ),
    GitReason.WEB_PAGE: (
        "Open the url in a browser. If it is a sign-in page, choose a connection for the repository, or have the proxy "
        "or single sign-on before the server let git through; else correct the url."
    ),
    GitReason.REPOSITORY_DAMAGED: (
        "Have the server's operator run git fsck there and restore what is missing, or push the branch again from a "
        "whole clone."
    ),
    GitReason.REF_MISSING: "Correct the ref, or push it; the message names what there is.",
    GitReason.COMMIT_NOT_SERVED: (
        "Follow a tag on the commit, or have the server's operator set uploadpack.allowReachableSHA1InWant."
    ),
    GitReason.NOT_A_COMMIT: "Move the tag, or use another ref.",
    GitReason.CONTENT_REFUSED: "Run git fsck there and rewrite what it names.",
    GitReason.TREE_TOO_LARGE: "Remove what does not belong there, or raise the kiok.gitsync.max.* that the message names.",
    GitReason.OUTPUT_TOO_LARGE: "See why the repository lists so much; often it is far too many refs or files.",
    GitReason.SIGNATURE_MISSING: "For the authors: sign it (git commit --amend -S, git tag -s) and push it.",
    GitReason.SIGNATURE_REFUSED: (
        "The message has the key that was seen. If it is to count, add it to the trusted keys, or "
        "have its owner renew it; if nobody knows it, see who may push."
    ),
    GitReason.SIGNATURE_KEYS_UNUSABLE: "Enter the property, and mend the line, that the message names.",
    GitReason.UNSUPPORTED: "The message says which; a current git server with protocol version 2 serves.",
    GitReason.GIT_MISSING: "Install git and the ssh client; for OpenPGP signatures, GnuPG (gpg).",
    SyncReason.FILES_FAILED: "For the authors: the messages name file, line and key.",
    SyncReason.SANDBOX_UNAVAILABLE: "Start the engine (scripts/engine.sh), or set DOCKER_HOST.",
    SyncReason.IMAGE_MISSING: (
        "Build the service's images (make images); build or pull a team's own, or correct the "
        "property or field that the message names."
    ),
    SyncReason.IMAGE_MISMATCH: "make images, then build a team's own anew from that, without VOLUME.",
    SyncReason.COMPILE_FAILED: "For the authors: the message names the file.",
    SyncReason.SUBPATH_MISSING: "Correct the subpath, or push the folder.",
    SyncReason.SUBPATH_NOT_A_FOLDER: "Set the subpath to the folder that the message names, or put the folder back.",
    SyncReason.SUBPATH_MOVED: (
        "Set the subpath to the folder that the message names. To remove the DAGs instead, push the old folder with any "
        "other file in it, such as .gitkeep."
    ),
    SyncReason.TOO_MANY_DAGS: "Split the repository, or raise the limit.",
    SyncReason.WOULD_EMPTY: (
        "If every DAG is to go: accept the commit (Accept on the repository's page, the API, or manage.py gitsync --now "
        "--repo NAME --accept-empty). If not: push a commit that has the DAGs, or correct ref and subpath."
    ),
    SyncReason.CREDENTIAL: "The message says why: the master key, a property, or a connection that does not exist.",
    SyncReason.DECLARATION_INVALID: "Correct the declaration at the place that the message names, and restart the service.",
    SyncReason.DISABLED: "Enable it, if it is to sync.",
    SyncReason.PAUSED: "Resume it when the reason is gone.",
    SyncReason.LEASE_LOST: (
        "None: the other one does the work. If it happens often, workers are starved of CPU or database."
    ),
    SyncReason.WORKER_DIED: (
        "See in the kernel's log (out of memory) or the container's state (OOMKilled) why workers died; give them more "
        "memory, or have the authors mend what the commit brought. A new commit, or Sync now, is tried at once."
    ),
    SyncReason.CONFIGURATION_CHANGED: "None: a sync with the new configuration follows at once.",
    SyncReason.INTERNAL: "The log has the details; report it.",
}


def remedy(reason: str) -> str:
    """What to do, for people; "" for a reason that nobody knows."""
    return _BY_NAME.get(reason, "")


_BY_NAME = {known.value: text for known, text in REMEDIES.items()}
