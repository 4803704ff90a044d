"""Webhooks of each git service, in its own form and with its own signature, and invalid ones."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from base64 import b64decode
from dataclasses import replace

import pytest
from django.conf import settings as django_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitsync.models import Delivery, DeliveryOutcome, QueuedSync, Repository
from kiok.connections.models import Connection
from tests.support import git_services
from tests.support.git_services import SENDERS, Sender
from tests.support.hooks import MAIN, SECRET, outcome, requests, send

pytestmark = pytest.mark.django_db(transaction=True)

each_service = pytest.mark.parametrize("sender", SENDERS.values(), ids=list(SENDERS))


# Each service.


@each_service
def test_a_push_of_the_branch_requests_a_sync_and_is_recorded(sender: Sender, hooked: Repository) -> None:
    assert outcome(send(sender, sender.push(MAIN), identity="one")) == (202, "queued")
    assert requests() == [(hooked.pk, "webhook", False, sender.recorded_as)]
    row = Delivery.objects.get()
    assert (row.repository, row.service, row.event) == (hooked, sender.recorded_as, sender.push(MAIN).event)
    assert (row.ref, row.delivery_id, row.status, row.outcome) == (MAIN, "one", 202, "queued")


@each_service
def test_a_delivery_signed_with_another_secret_is_refused(sender: Sender, hooked: Repository) -> None:
    assert outcome(send(sender, sender.push(MAIN), secret="guessed")) == (404, "refused")
    assert requests() == []
    assert Delivery.objects.get().outcome == DeliveryOutcome.SIGNATURE


@pytest.mark.parametrize("name", sorted(set(SENDERS) - {"gitlab"}))  # its token signs nothing
def test_a_body_that_was_altered_on_the_way_is_refused(name: str, hooked: Repository) -> None:
    sender = SENDERS[name]
    signed = sender.headers(sender.push(MAIN).event, "one", sender.push("refs/heads/other").body, SECRET)
    altered = replace(sender, headers=lambda *_: signed)
    assert outcome(send(altered, sender.push(MAIN))) == (404, "refused")
    assert requests() == []


@each_service
def test_a_delivery_without_a_signature_is_refused(sender: Sender, hooked: Repository) -> None:
    names = [
        name for name in sender.headers("push", "one", b"", SECRET) if "ignature" in name or "Token" in name
    ]
    bare = replace(
        sender,
        headers=lambda *given: {k: v for k, v in sender.headers(*given).items() if k not in names},
    )
    assert sender.signature_header in names
    assert outcome(send(bare, sender.push(MAIN))) == (404, "refused")
    assert requests() == []
    assert Delivery.objects.get().outcome == DeliveryOutcome.UNSIGNED


@each_service
def test_a_repeated_delivery_requests_no_sync(sender: Sender, hooked: Repository) -> None:
    send(sender, sender.push(MAIN), identity="one")
    QueuedSync.objects.all().delete()
    Repository.objects.update(queued_until=None)
    assert outcome(send(sender, sender.push(MAIN), identity="one")) == (200, "replay")
    assert requests() == []
    assert outcome(send(sender, sender.push(MAIN), identity="two")) == (202, "queued")
    assert list(Delivery.objects.order_by("id").values_list("outcome", flat=True)) == [
        *("queued", "replay", "queued")
    ]


# Followed, changed, whether that matters.
REFS = (
    ("main", "refs/heads/other", False),
    ("main", "refs/tags/main", False),
    ("feature/x", "refs/heads/feature/x", True),
    ("refs/heads/main", MAIN, True),
    ("tag:v1", "refs/tags/v1", True),
    ("tag:v1", "refs/tags/v1.1", False),
    ("tag:v1", "refs/heads/v1", False),
    ("semver:^1.2", "refs/tags/v0.1.0", True),
    ("semver:^1.2", MAIN, False),
    (f"commit:{git_services.SHA}", MAIN, False),
)


@each_service
@pytest.mark.parametrize("what", ["push", "deletion"])
def test_only_events_that_may_change_the_followed_ref_request_a_sync(
    sender: Sender, what: str, hooked: Repository
) -> None:
    for number, (followed, changed, matters) in enumerate(REFS):
        Repository.objects.update(ref=followed, queued_until=None)
        answer = send(sender, getattr(sender, what)(changed), identity=str(number))
        assert outcome(answer) == ((202, "queued") if matters else (200, "other_ref")), (followed, changed)
        assert Delivery.objects.latest("id").ref == changed
    assert len(requests()) == sum(matters for _, _, matters in REFS)


@pytest.mark.parametrize("name", ["github", "bitbucket-data-center"])  # the others try out with a real event
def test_a_ping_is_answered_and_requests_no_sync(name: str, hooked: Repository) -> None:
    sender = SENDERS[name]
    assert sender.ping is not None
    assert outcome(send(sender, sender.ping)) == (200, "ping")
    assert requests() == []


@each_service
def test_an_event_that_is_no_push_requests_no_sync(sender: Sender, hooked: Repository) -> None:
    assert outcome(send(sender, sender.other)) == (200, "not_a_push")
    assert requests() == []


HOSTILE_BODIES = {
    "nothing": b"",
    "garbage": b"\x00\xff{{{",
    "deep": b"[" * 100_000,
    "deep object": b'{"ref":' * 5000 + b"1" + b"}" * 5000,
    "a list": b"[]",
    "null": b"null",
    "no ref": b"{}",
    "wrong types": b'{"ref": {"ref": []}, "ref_type": 1, "changes": [1], "push": {"changes": {}}}',
    "wrong in the list": b'{"ref": null, "changes": [{"ref": "x"}], "push": {"changes": [{"new": {"type": 1}}]}}',
    "an unknown type": b'{"ref": 1, "changes": 1, "push": {"changes": [{"new": {"type": "x", "name": "main"}}]}}',
    "a long integer": b'{"ref": ' + b"1" * 5000 + b"}",
    "utf-16": '{"ref": "refs/heads/main"}'.encode("utf-16"),
}


@each_service
def test_a_signed_body_that_is_not_as_documented_is_refused_as_such(
    sender: Sender, hooked: Repository
) -> None:
    for name, body in HOSTILE_BODIES.items():
        answer = send(sender, replace(sender.push(MAIN), body=body), identity=name)
        assert outcome(answer) == (400, "payload"), name
    assert requests() == []
    assert set(Delivery.objects.values_list("outcome", "ref")) == {("payload", "")}


@each_service
def test_a_body_over_the_limit_is_refused_unread(sender: Sender, hooked: Repository) -> None:
    limit = django_settings.KIOK.gitsync_webhook_max_bytes
    delivery = sender.push(MAIN)
    fits = replace(delivery, body=delivery.body + b" " * (limit - len(delivery.body)))
    assert outcome(send(sender, replace(fits, body=fits.body + b" "))) == (413, "too_large")
    assert Delivery.objects.count() == 0
    assert outcome(send(sender, fits)) == (202, "queued")


# Differences between the services.


def test_a_form_as_github_can_send_it_is_read(hooked: Repository) -> None:
    delivery = git_services.GITHUB.push(MAIN)
    form = "application/x-www-form-urlencoded"
    body = urllib.parse.urlencode({"payload": delivery.body.decode()}).encode()
    sent = replace(delivery, body=body)
    assert outcome(send(git_services.GITHUB, sent, content_type=form)) == (202, "queued")
    for number, broken in enumerate((b"", b"a=b", b"payload=%ff", b"payload=\xff", b"&".join([b"a=b"] * 50))):
        sent = replace(delivery, body=broken)
        answer = send(git_services.GITHUB, sent, content_type=form, identity=str(number))
        assert outcome(answer) == (400, "payload")


def test_one_push_of_several_refs_counts_if_one_of_them_is_followed(hooked: Repository) -> None:
    others = git_services.bitbucket_changes(("refs/heads/a", None), (None, "refs/tags/v1"))
    assert outcome(send(git_services.BITBUCKET, others, identity="1")) == (200, "other_ref")
    several = git_services.bitbucket_changes(("refs/heads/a", None), (MAIN, MAIN))
    assert outcome(send(git_services.BITBUCKET, several, identity="2")) == (202, "queued")
    assert Delivery.objects.first().ref == f"refs/heads/a, {MAIN}"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        ("whsec_no base64", b"whsec_no base64"),
        (SECRET, SECRET.encode()),
    ],
)
def test_gitlabs_signing_token_is_base64_behind_its_prefix_or_plain(
    secret: str, key: bytes, hooked: Repository
) -> None:
    Connection.objects.get().set_properties({"secret": secret})
    sender = git_services.GITLAB_SIGNED

    def headers(event: str, identity: str, body: bytes, _secret: str) -> dict[str, str]:
        made = sender.headers(event, identity, body, "")
        signature = git_services.standard_signature(identity, made["webhook-timestamp"], body, key)
        return {**made, "webhook-signature": signature}

    assert outcome(send(replace(sender, headers=headers), sender.push(MAIN))) == (202, "queued")


@pytest.mark.parametrize("seconds", ["-400", "+400", "", "soon", "1e9", "٣", "9" * 30])
def test_gitlabs_signature_of_another_time_is_refused(seconds: str, hooked: Repository) -> None:
    if seconds[:1] in "+-" and seconds:
        seconds = str(int(time.time()) + int(seconds))
    delivery = git_services.GITLAB_SIGNED.push(MAIN)

    def headers(event: str, identity: str, body: bytes, secret: str) -> dict[str, str]:
        made = git_services.GITLAB_SIGNED.headers(event, identity, body, secret)
        signature = git_services.standard_signature(identity, seconds, body, secret.encode())
        return {**made, "webhook-timestamp": seconds, "webhook-signature": signature}

    assert outcome(send(replace(git_services.GITLAB_SIGNED, headers=headers), delivery)) == (404, "refused")


def test_one_of_several_signatures_is_enough_while_gitlabs_key_changes(hooked: Repository) -> None:
    def headers(event: str, identity: str, body: bytes, secret: str) -> dict[str, str]:
        made = git_services.GITLAB_SIGNED.headers(event, identity, body, secret)
        other = git_services.standard_signature(identity, made["webhook-timestamp"], body, b"other")
        return {**made, "webhook-signature": f"{other} {made['webhook-signature']}"}

    sender = replace(git_services.GITLAB_SIGNED, headers=headers)
    assert outcome(send(sender, sender.push(MAIN))) == (202, "queued")


# Whatever comes.

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_ref = st.one_of(
    _json, st.sampled_from([MAIN, "refs/heads/\ud800", "refs/heads/\0", "refs/heads/" + "x" * 600])
)
_change = st.fixed_dictionaries({"name": _ref, "type": st.sampled_from(["branch", "tag", "x"])}) | _json
_like_a_push = st.fixed_dictionaries(
    {
        "ref": _ref,
        "ref_type": st.sampled_from(["branch", "tag", 1]),
        "changes": st.lists(
            st.fixed_dictionaries({"ref": st.fixed_dictionaries({"id": _ref})}) | _json, max_size=3
        ),
        "push": st.fixed_dictionaries(
            {"changes": st.lists(st.fixed_dictionaries({"old": _change, "new": _change}), max_size=3)}
        ),
    }
)
_bodies = st.one_of(
    st.binary(max_size=200),
    _json.map(lambda value: json.dumps(value).encode()),
    _like_a_push.map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(SENDERS)),
    event=st.sampled_from(["push", "delete", "Push Hook", "repo:push", "repo:refs_changed"]),
    identity=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=200),
    body=_bodies,
    content_type=st.sampled_from(["application/json", "application/x-www-form-urlencoded", ""]),
    is_signed=st.booleans(),
)
def test_no_delivery_whatsoever_breaks_the_service(
    name: str,
    event: str,
    identity: str,
    body: bytes,
    content_type: str,
    is_signed: bool,
    hooked: Repository,
) -> None:
    sender = SENDERS[name] if name != "gitlab-signed" else git_services.GITLAB
    answer = send(
        sender,
        git_services.Delivery(event, body),
        identity=identity,
        secret=SECRET if is_signed else "x",
        content_type=content_type,
    )
    assert answer.status_code in ({200, 202, 400} if is_signed else {404})
    answer.json()
