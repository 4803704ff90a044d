"""What every answer tells the browser: what a page may load and do, and that nobody else may keep or embed it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

# Scripts, styles and pictures are files of this site; no page holds any inline. Scripts may still set `element.style`.
# No `require-trusted-types-for`: Django's own scripts assign `innerHTML`, so a policy would have to let everything pass.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

_REFUSED = (
    *("accelerometer", "browsing-topics", "camera", "display-capture", "fullscreen", "geolocation"),
    *("gyroscope", "hid", "magnetometer", "microphone", "midi", "payment", "picture-in-picture"),
    *("publickey-credentials-get", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking"),
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _REFUSED),
    "Cross-Origin-Resource-Policy": "same-origin",
    # Pages show what not everybody may see. Static files say otherwise of themselves.
    "Cache-Control": "no-store",
}
"""Besides those of Django's SecurityMiddleware: Referrer-Policy, Cross-Origin-Opener-Policy, nosniff."""


class HeadersMiddleware:
    """Sets each header that the answer does not have yet."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response
