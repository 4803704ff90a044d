"""GitLab.

Webhooks: https://docs.gitlab.com/user/project/integrations/webhooks/
Pages: https://docs.gitlab.com/user/project/repository/files/#permanent-links

A hook has either a secret token, which is sent unchanged, or a signing token, with which the delivery is signed according
to https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time

from gitsync.git_services import payload as body_of
from gitsync.git_services.base import GitService, Headers, PagePaths, is_same
from gitsync.git_services.payload import Payload

TOKEN = "X-Gitlab-Token"  # noqa: S105 - a header's name
SIGNATURE = "webhook-signature"
KEY_PREFIX = "whsec_"
TOLERANCE_SECONDS = 300  # maximum offset of a signed timestamp; the specification leaves it to the receiver


class GitLab(GitService):
    """GitLab: a deletion is a push to the zero commit. The "Test" button sends a real event, so there is no ping."""

    name = "gitlab"
    hosts = {"gitlab.com": "gitlab.com", "altssh.gitlab.com": "gitlab.com"}
    words = ("gitlab",)
    paths = PagePaths("-/commit/{sha}", "-/blob/{sha}/{path}", "#L{line}", "-/compare/{from_sha}...{to_sha}")
    webhook_steps = (
        "At GitLab: Settings, Webhooks, Add new webhook. "
        "The secret is the Secret token. Triggers: Push events, Tag push events."
    )

    def is_sender(self, headers: Headers) -> bool:
        return "X-Gitlab-Event" in headers

    def is_signed(self, headers: Headers) -> bool:
        return TOKEN in headers or SIGNATURE in headers

    def is_authentic(self, headers: Headers, body: bytes, secret: str) -> bool:
        # Always compute both, so that the time does not depend on which header is present.
        return is_same(headers.get(TOKEN, ""), secret) | _is_signed_with(headers, body, secret)

    def delivery_id(self, headers: Headers) -> str:
        # The first two headers stay the same when a delivery is sent again.
        names = ("webhook-id", "Idempotency-Key", "X-Gitlab-Event-UUID")
        return next((headers[name] for name in names if name in headers), "")

    def event(self, headers: Headers) -> str:
        return headers.get("X-Gitlab-Event", "")

    def is_ping(self, event: str) -> bool:  # noqa: ARG002
        return False

    def reports_refs(self, event: str) -> bool:
        return event in ("Push Hook", "Tag Push Hook")

    def changed_refs(self, event: str, payload: Payload) -> tuple[str, ...]:  # noqa: ARG002
        return (body_of.text(payload, "ref"),)


def _is_signed_with(headers: Headers, body: bytes, secret: str) -> bool:
    identity, seconds = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signed = f"{identity}.{seconds}.".encode("latin-1", "replace") + body
    wanted = base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()
    # During a key rotation, the header contains several signatures, separated by spaces.
    given = headers.get(SIGNATURE, "").split(" ")[:10]
    is_recent = seconds.isascii() and seconds.isdigit() and len(seconds) < 15
    is_recent = is_recent and abs(time.time() - int(seconds)) <= TOLERANCE_SECONDS
    return is_recent and any(is_same(one, f"v1,{wanted}") for one in given)


def _key(secret: str) -> bytes:
    if secret.startswith(KEY_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(KEY_PREFIX), validate=True)
        except binascii.Error:
            pass  # not base64, so the text itself is the key
    return secret.encode()
