"""Gitea and Forgejo.

Webhooks: https://docs.gitea.com/usage/webhooks, https://forgejo.org/docs/latest/user/webhooks/
Pages: https://forgejo.org/docs/latest/user/linked-references/
"""

from __future__ import annotations

from gitsync.git_services import payload as body_of
from gitsync.git_services.base import GitService, Headers, PagePaths, is_hmac_of
from gitsync.git_services.payload import Payload, PayloadInvalid

# Headers with the same HMAC, and the prefix of their value. The first header that is present counts.
SIGNATURES = {"X-Forgejo-Signature": "", "X-Gitea-Signature": "", "X-Hub-Signature-256": "sha256="}
FOLDERS = {"branch": "refs/heads/", "tag": "refs/tags/"}


class Gitea(GitService):
    """Gitea and Forgejo: HMAC-SHA256 signatures. A deletion is an event of its own, with the ref's short name and type."""

    name = "gitea"
    hosts = {"codeberg.org": "codeberg.org", "gitea.com": "gitea.com"}
    words = ("gitea", "forgejo")
    paths = PagePaths("commit/{sha}", "src/commit/{sha}/{path}", "#L{line}", "compare/{from_sha}...{to_sha}")
    webhook_steps = (
        "At Gitea or Forgejo: Settings, Webhooks, Add webhook. POST, application/json. Events: Push, Delete."
    )

    def is_sender(self, headers: Headers) -> bool:
        return "X-Gitea-Event" in headers or "X-Forgejo-Event" in headers

    def is_signed(self, headers: Headers) -> bool:
        return any(name in headers for name in SIGNATURES)

    def is_authentic(self, headers: Headers, body: bytes, secret: str) -> bool:
        name = next((name for name in SIGNATURES if name in headers), "X-Gitea-Signature")
        return is_hmac_of(headers.get(name, ""), body, secret, prefix=SIGNATURES[name])

    def delivery_id(self, headers: Headers) -> str:
        return headers.get("X-Forgejo-Delivery") or headers.get("X-Gitea-Delivery", "")

    def event(self, headers: Headers) -> str:
        return headers.get("X-Forgejo-Event") or headers.get("X-Gitea-Event", "")

    def is_ping(self, event: str) -> bool:  # noqa: ARG002 - "Test delivery" sends a push
        return False

    def reports_refs(self, event: str) -> bool:
        return event in ("push", "delete")

    def changed_refs(self, event: str, payload: Payload) -> tuple[str, ...]:
        ref = body_of.text(payload, "ref")
        if event == "push":
            return (ref,)
        kind = body_of.text(payload, "ref_type")
        if kind not in FOLDERS:
            raise PayloadInvalid("ref_type is neither 'branch' nor 'tag'")
        return (FOLDERS[kind] + ref,)
