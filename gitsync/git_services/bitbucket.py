"""Webhooks of Bitbucket Cloud and Bitbucket Data Center.

https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push,
https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

from __future__ import annotations

from gitsync.git_services import payload as body_of
from gitsync.git_services.service import Headers, Payload, PayloadInvalid
from gitsync.git_services.signature import is_hmac_of

SIGNATURE = "X-Hub-Signature"
CLOUD_PUSH = "repo:push"
DATA_CENTER_PUSH = "repo:refs_changed"
DATA_CENTER_PING = "diagnostics:ping"
FOLDERS = {"branch": "refs/heads/", "tag": "refs/tags/"}


class Bitbucket:
    """Bitbucket: HMAC-SHA256 signatures. A delivery lists all refs of a push; a deleted ref has no `new`."""

    name = "bitbucket"

    def sent(self, headers: Headers) -> bool:
        return "X-Event-Key" in headers

    def is_signed(self, headers: Headers) -> bool:
        return SIGNATURE in headers

    def is_authentic(self, headers: Headers, body: bytes, secret: str) -> bool:
        return is_hmac_of(headers.get(SIGNATURE, ""), body, secret, prefix="sha256=")

    def delivery_id(self, headers: Headers) -> str:
        return headers.get("X-Request-UUID") or headers.get("X-Request-Id", "")

    def event(self, headers: Headers) -> str:
        return headers.get("X-Event-Key", "")

    def is_ping(self, event: str) -> bool:
        return event == DATA_CENTER_PING

    def tells_of_refs(self, event: str) -> bool:
        return event in (CLOUD_PUSH, DATA_CENTER_PUSH)

    def changed_refs(self, event: str, payload: Payload) -> tuple[str, ...]:
        if event == DATA_CENTER_PUSH:
            return tuple(body_of.text(change, "ref", "id") for change in body_of.objects(payload, "changes"))
        changes = body_of.objects(payload, "push", "changes")
        return tuple(_full_name(body_of.at(change, "new") or body_of.at(change, "old")) for change in changes)


def _full_name(ref: object) -> str:
    kind = body_of.text(ref, "type")
    if kind not in FOLDERS:
        raise PayloadInvalid("the type of a change is neither 'branch' nor 'tag'")
    return FOLDERS[kind] + body_of.text(ref, "name")
