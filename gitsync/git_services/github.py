"""GitHub.

Webhooks: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
Pages: https://docs.github.com/en/repositories/working-with-files/using-files/getting-permanent-links-to-files
"""

from __future__ import annotations

from gitsync.git_services import payload as body_of
from gitsync.git_services.base import GitService, Headers, PagePaths, is_hmac_of
from gitsync.git_services.payload import Payload

SIGNATURE = "X-Hub-Signature-256"


class GitHub(GitService):
    """GitHub: HMAC-SHA256 signatures. A deletion is a push too, with `deleted` set, to the zero commit."""

    name = "github"
    hosts = {"github.com": "github.com", "ssh.github.com": "github.com"}
    words = ("github",)
    paths = PagePaths("commit/{sha}", "blob/{sha}/{path}", "#L{line}", "compare/{from_sha}...{to_sha}")
    webhook_steps = (
        "At GitHub: Settings, Webhooks, Add webhook. "
        "Content type: application/json. Events: just the push event."
    )

    def is_sender(self, headers: Headers) -> bool:
        return "X-GitHub-Event" in headers

    def is_signed(self, headers: Headers) -> bool:
        return SIGNATURE in headers

    def is_authentic(self, headers: Headers, body: bytes, secret: str) -> bool:
        return is_hmac_of(headers.get(SIGNATURE, ""), body, secret, prefix="sha256=")

    def delivery_id(self, headers: Headers) -> str:
        return headers.get("X-GitHub-Delivery", "")

    def event(self, headers: Headers) -> str:
        return headers.get("X-GitHub-Event", "")

    def is_ping(self, event: str) -> bool:
        return event == "ping"

    def reports_refs(self, event: str) -> bool:
        return event == "push"

    def changed_refs(self, event: str, payload: Payload) -> tuple[str, ...]:  # noqa: ARG002
        return (body_of.text(payload, "ref"),)
