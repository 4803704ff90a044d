"""What is read of a request before an operation sees it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

from gitsync.api.problems import ApiRefusal
from kiok import strict_json

MEDIA_TYPE = "application/json"


class StrictParser(Parser):
    """Bodies are JSON and called so; no key twice, no NaN, no endless nesting."""

    def parse_body(self, request: HttpRequest) -> Any:
        if not request.body and not request.content_type:
            return None  # nothing was sent, where nothing need be
        if request.content_type != MEDIA_TYPE:
            raise ApiRefusal(415, f"Send the body as {MEDIA_TYPE}.")
        try:
            return strict_json.parse(request.body)
        except strict_json.StrictJsonError as exc:
            raise ApiRefusal(400, f"The body is not JSON as it is taken here: {exc}.") from exc
