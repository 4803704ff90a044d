"""Parsing of request bodies, before an operation receives them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

from gitsync.api.problems import ApiRefusal
from kiok import strict_json

MEDIA_TYPE = "application/json"


class StrictParser(Parser):
    """Parser for JSON bodies that are sent as JSON: no duplicate key, no NaN, bounded nesting."""

    def parse_body(self, request: HttpRequest) -> Any:
        if not request.body and not request.content_type:
            return None  # the body is optional and was not sent
        if request.content_type != MEDIA_TYPE:
            raise ApiRefusal(415, f"Send the body as {MEDIA_TYPE}.")
        try:
            return strict_json.parse(request.body)
        except strict_json.StrictJsonError as exc:
            raise ApiRefusal(400, f"The body is not valid JSON: {exc}.") from exc
