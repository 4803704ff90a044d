"""Git services as senders of webhooks: headers and bodies in the form each documents, shortened."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

SHA = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5"
ZEROS = "0" * 40

Headers = dict[str, str]


@dataclass(frozen=True)
class Delivery:
    """One delivery as it goes out: the event's header and its body."""

    event: str
    body: bytes


@dataclass(frozen=True)
class Sender:
    """One kind of service. `headers` makes those of a delivery with an event, a delivery id, a body and a secret."""

    recorded_as: str
    headers: Callable[[str, str, bytes, str], Headers]
    push: Callable[[str], Delivery]
    deletion: Callable[[str], Delivery]
    other: Delivery
    ping: Delivery | None = None
    signature_header: str = ""


def _body(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()


def _hex(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


# GitHub. https://docs.github.com/en/webhooks/webhook-events-and-payloads


def _github_headers(event: str, identity: str, body: bytes, secret: str) -> Headers:
    return {
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Hook-ID": "292430182",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": identity,
        "X-Hub-Signature-256": f"sha256={_hex(body, secret)}",
    }


def _github_push(ref: str, *, deleted: bool = False) -> Delivery:
    value = {
        "ref": ref,
        "before": SHA if deleted else ZEROS,
        "after": ZEROS if deleted else SHA,
        "created": not deleted,
        "deleted": deleted,
        "forced": False,
        "base_ref": None,
        "commits": [] if deleted else [{"id": SHA, "message": "change", "added": ["a.yaml"]}],
        "head_commit": None if deleted else {"id": SHA},
        "repository": {"id": 1, "full_name": "octo/dags", "size": 108, "pushed_at": 1557933657},
        "pusher": {"name": "ada", "email": "ada@example.org"},
    }
    return Delivery("push", _body(value))


_ZEN = {"zen": "Keep it logically awesome.", "hook_id": 292430182, "hook": {"type": "Repository"}}

GITHUB = Sender(
    "github",
    _github_headers,
    _github_push,
    lambda ref: _github_push(ref, deleted=True),
    Delivery("issues", _body({"action": "opened", "issue": {"number": 1}})),
    Delivery("ping", _body(_ZEN)),
    "X-Hub-Signature-256",
)


# GitLab. https://docs.gitlab.com/user/project/integrations/webhook_events/


def _gitlab_token(event: str, identity: str, body: bytes, secret: str) -> Headers:
    return {
        "X-Gitlab-Event": event,
        "X-Gitlab-Webhook-UUID": "02f1ac12-6a47-4e0d-b9a5-8a3b2e4f3a63",
        "X-Gitlab-Instance": "https://gitlab.example.com",
        "X-Gitlab-Event-UUID": identity,
        "X-Gitlab-Token": secret,
    }


def _gitlab_signed(event: str, identity: str, body: bytes, secret: str) -> Headers:
    seconds = str(int(time.time()))
    return {
        "X-Gitlab-Event": event,
        "X-Gitlab-Event-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e",
        "Idempotency-Key": identity,
        "webhook-id": identity,
        "webhook-timestamp": seconds,
        "webhook-signature": standard_signature(identity, seconds, body, secret.encode()),
    }


def standard_signature(identity: str, seconds: str, body: bytes, key: bytes) -> str:
    """Sign as the Standard Webhooks specification says."""
    signed = f"{identity}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _gitlab_push(ref: str, *, deleted: bool = False) -> Delivery:
    is_tag = ref.startswith("refs/tags/")
    kind = "tag_push" if is_tag else "push"
    value = {
        "object_kind": kind,
        "event_name": kind,
        "before": SHA if deleted else ZEROS,
        "after": ZEROS if deleted else SHA,
        "ref": ref,
        "ref_protected": True,
        "checkout_sha": None if deleted else SHA,
        "user_username": "ada",
        "project": {"id": 15, "path_with_namespace": "team/dags", "default_branch": "main"},
        "commits": [],
        "total_commits_count": 0,
    }
    return Delivery("Tag Push Hook" if is_tag else "Push Hook", _body(value))


_ISSUE = Delivery("Issue Hook", _body({"object_kind": "issue", "object_attributes": {"iid": 23}}))

GITLAB = Sender(
    "gitlab",
    _gitlab_token,
    _gitlab_push,
    lambda ref: _gitlab_push(ref, deleted=True),
    _ISSUE,
    signature_header="X-Gitlab-Token",
)
GITLAB_SIGNED = Sender(
    "gitlab",
    _gitlab_signed,
    _gitlab_push,
    lambda ref: _gitlab_push(ref, deleted=True),
    _ISSUE,
    signature_header="webhook-signature",
)


# Gitea and Forgejo. https://docs.gitea.com/usage/webhooks, https://forgejo.org/docs/latest/user/webhooks/


def _gitea_headers(event: str, identity: str, body: bytes, secret: str) -> Headers:
    signature = _hex(body, secret)
    return {
        "X-GitHub-Delivery": identity,
        "X-GitHub-Event": event,
        "X-Gogs-Delivery": identity,
        "X-Gogs-Event": event,
        "X-Gogs-Signature": signature,
        "X-Gitea-Delivery": identity,
        "X-Gitea-Event": event,
        "X-Gitea-Signature": signature,
        "X-Hub-Signature-256": f"sha256={signature}",
    }


def _forgejo_headers(event: str, identity: str, body: bytes, secret: str) -> Headers:
    forgejo = {"Delivery": identity, "Event": event, "Signature": _hex(body, secret)}
    return {
        **_gitea_headers(event, identity, body, secret),
        **{f"X-Forgejo-{name}": value for name, value in forgejo.items()},
    }


def _gitea_push(ref: str) -> Delivery:
    value = {
        "ref": ref,
        "before": ZEROS,
        "after": SHA,
        "compare_url": "https://gitea.example.com/team/dags/compare/0...1",
        "commits": [],
        "total_commits": 0,
        "repository": {"id": 140, "full_name": "team/dags", "default_branch": "main"},
        "pusher": {"id": 1, "login": "ada"},
    }
    return Delivery("push", _body(value))


def _gitea_deletion(ref: str) -> Delivery:
    _, folder, name = ref.split("/", 2)
    kind = {"heads": "branch", "tags": "tag"}[folder]
    return Delivery("delete", _body({"ref": name, "ref_type": kind, "pusher_type": "user"}))


_RELEASE = Delivery("release", _body({"action": "published", "release": {"tag_name": "v1"}}))

GITEA = Sender(
    "gitea", _gitea_headers, _gitea_push, _gitea_deletion, _RELEASE, signature_header="X-Gitea-Signature"
)
FORGEJO = Sender(
    "gitea", _forgejo_headers, _gitea_push, _gitea_deletion, _RELEASE, signature_header="X-Forgejo-Signature"
)


# Bitbucket. https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push


def _bitbucket_headers(event: str, identity: str, body: bytes, secret: str) -> Headers:
    return {
        "X-Event-Key": event,
        "X-Hook-UUID": "{2ba2f0a8-a1f6-4a0e-b3b8-7b7c7d8c9e0f}",
        "X-Request-UUID": identity,
        "X-Attempt-Number": "1",
        "X-Hub-Signature": f"sha256={_hex(body, secret)}",
    }


def _bitbucket_ref(ref: str) -> dict[str, Any]:
    _, folder, name = ref.split("/", 2)
    kind = {"heads": "branch", "tags": "tag"}[folder]
    return {"type": kind, "name": name, "target": {"type": "commit", "hash": SHA}}


def bitbucket_changes(*changes: tuple[str | None, str | None]) -> Delivery:
    """A push of several changes: (full name before, full name after), None where the ref was not, or is not, there."""
    value = {
        "actor": {"type": "user", "nickname": "ada"},
        "repository": {"type": "repository", "full_name": "team/dags"},
        "push": {
            "changes": [
                {
                    "old": _bitbucket_ref(old) if old else None,
                    "new": _bitbucket_ref(new) if new else None,
                    "created": old is None,
                    "closed": new is None,
                    "forced": False,
                    "truncated": False,
                }
                for old, new in changes
            ]
        },
    }
    return Delivery("repo:push", _body(value))


_FORK = Delivery("repo:fork", _body({"repository": {"type": "repository"}, "fork": {"type": "repository"}}))

BITBUCKET = Sender(
    "bitbucket",
    _bitbucket_headers,
    lambda ref: bitbucket_changes((ref, ref)),
    lambda ref: bitbucket_changes((ref, None)),
    _FORK,
    signature_header="X-Hub-Signature",
)


# Bitbucket Data Center. https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html


def _data_center_headers(event: str, identity: str, body: bytes, secret: str) -> Headers:
    return {
        "X-Event-Key": event,
        "X-Request-Id": identity,
        "X-Hub-Signature": f"sha256={_hex(body, secret)}",
    }


def _data_center_push(ref: str, kind: str = "UPDATE") -> Delivery:
    _, folder, name = ref.split("/", 2)
    change = {
        "ref": {"id": ref, "displayId": name, "type": {"heads": "BRANCH", "tags": "TAG"}[folder]},
        "refId": ref,
        "fromHash": SHA,
        "toHash": ZEROS if kind == "DELETE" else SHA,
        "type": kind,
    }
    value = {
        "eventKey": "repo:refs_changed",
        "date": "2017-09-19T09:45:32+1000",
        "actor": {"name": "ada"},
        "repository": {"slug": "dags", "project": {"key": "TEAM"}},
        "changes": [change],
    }
    return Delivery("repo:refs_changed", _body(value))


DATA_CENTER = Sender(
    "bitbucket",
    _data_center_headers,
    _data_center_push,
    lambda ref: _data_center_push(ref, "DELETE"),
    Delivery("pr:opened", _body({"eventKey": "pr:opened", "pullRequest": {"id": 1}})),
    Delivery("diagnostics:ping", _body({"test": True})),
    "X-Hub-Signature",
)

SENDERS = {
    "github": GITHUB,
    "gitlab": GITLAB,
    "gitlab-signed": GITLAB_SIGNED,
    "gitea": GITEA,
    "forgejo": FORGEJO,
    "bitbucket": BITBUCKET,
    "bitbucket-data-center": DATA_CENTER,
}
