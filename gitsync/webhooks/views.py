"""`POST /hooks/<repository>/`: endpoint for git services. It uses no login and no session, only the signature."""

from __future__ import annotations

import time

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from gitsync.webhooks.receive import REFUSAL, Answer, receive
from kiok.cluster.conf import properties

REFUSAL_SECONDS = 0.03  # minimum, so that the duration does not reveal whether the repository exists


@csrf_exempt
@require_POST
def hook(request: HttpRequest, name: str) -> JsonResponse:
    """Receive one delivery. The response is `{"outcome": name, "message": text}`."""
    began = time.monotonic()
    length, limit = _length(request), properties().gitsync_webhook_max_bytes
    if length is None:
        return _response(Answer(411, "no_length", "the request has no Content-Length"))
    if length > limit:
        return _response(
            Answer(
                413,
                "too_large",
                f"the body has {length} bytes; kiok.gitsync.webhook.max.bytes allows {limit}",
            )
        )
    try:
        # `request.body` has its own size limit, so read the stream instead.
        answer = receive(name, request.headers, request.read(length))
    except UnreadablePostError:
        return _response(Answer(400, "unreadable", "the request ended before its body was complete"))
    except (OperationalError, InterfaceError):
        return _response(Answer(503, "unavailable", "the database does not respond; send the delivery again"))
    if answer is REFUSAL:
        time.sleep(max(0.0, began + REFUSAL_SECONDS - time.monotonic()))
    return _response(answer)


def _length(request: HttpRequest) -> int | None:
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _response(answer: Answer) -> JsonResponse:
    known = {"X-Request-ID": answer.correlation_id} if answer.correlation_id else {}
    return JsonResponse(
        {"outcome": answer.outcome, "message": answer.message}, status=answer.status, headers=known
    )
