"""Bitbucket Cloud and Bitbucket Data Center.

Webhooks: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push,
https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
Pages: https://support.atlassian.com/bitbucket-cloud/docs/hyperlink-to-source-code-in-bitbucket/,
https://confluence.atlassian.com/bitbucketserver/
"""

from __future__ import annotations

from gitsync.git_services import payload as body_of
from gitsync.git_services.base import GitService, Headers, PagePaths, WebPage, is_hmac_of
from gitsync.git_services.payload import Payload, PayloadInvalid

CLOUD = "bitbucket.org"
SIGNATURE = "X-Hub-Signature"
CLOUD_PUSH = "repo:push"
DATA_CENTER_PUSH = "repo:refs_changed"
DATA_CENTER_PING = "diagnostics:ping"
FOLDERS = {"branch": "refs/heads/", "tag": "refs/tags/"}
CLOUD_PATHS = PagePaths(
    "commits/{sha}", "src/{sha}/{path}", "#{name}-{line}", "branches/compare/{to_sha}%0D{from_sha}"
)
DATA_CENTER_PATHS = PagePaths(
    "commits/{sha}",
    "browse/{path}?at={sha}",
    "#{line}",
    "compare/diff?sourceBranch={to_sha}&targetBranch={from_sha}",
)


class Bitbucket(GitService):
    """Bitbucket: HMAC-SHA256 signatures. A delivery lists all refs of a push; a deleted ref has no `new`."""

    name = "bitbucket"
    hosts = {CLOUD: CLOUD, f"altssh.{CLOUD}": CLOUD}
    words = ("bitbucket", "stash")
    paths = DATA_CENTER_PATHS
    webhook_steps = (
        "At Bitbucket: Repository settings, Webhooks, Add or Create webhook. Trigger: Repository push."
    )

    def is_sender(self, headers: Headers) -> bool:
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

    def reports_refs(self, event: str) -> bool:
        return event in (CLOUD_PUSH, DATA_CENTER_PUSH)

    def changed_refs(self, event: str, payload: Payload) -> tuple[str, ...]:
        if event == DATA_CENTER_PUSH:
            return tuple(body_of.text(change, "ref", "id") for change in body_of.objects(payload, "changes"))
        changes = body_of.objects(payload, "push", "changes")
        return tuple(_full_name(body_of.at(change, "new") or body_of.at(change, "old")) for change in changes)

    def paths_at(self, host: str) -> PagePaths:
        return CLOUD_PATHS if host == CLOUD else self.paths

    def page(self, host: str, path: str) -> WebPage:
        """Return the page. Data Center has `[context/]projects/KEY/repos/slug`, and `users/user` for a key `~user`.

        Git's path is `KEY/slug` for ssh and `[context/]scm/KEY/slug` for https.
        """
        if host == CLOUD:
            return WebPage(host, path)
        *context, key, slug = path.split("/")
        if context and context[-1] == "scm":
            context.pop()
        owner = ("users", key[1:]) if key.startswith("~") else ("projects", key)
        return WebPage(host, "/".join((*context, *owner, "repos", slug)))


def _full_name(ref: object) -> str:
    kind = body_of.text(ref, "type")
    if kind not in FOLDERS:
        raise PayloadInvalid("the type of a change is neither 'branch' nor 'tag'")
    return FOLDERS[kind] + body_of.text(ref, "name")
