"""Security headers of all responses: what a page may load and do, and that no other site may embed or cache it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

# Scripts, styles and images are files of this site; no page has inline ones. Scripts may still set `element.style`.
# No `require-trusted-types-for`: Django's own scripts assign `innerHTML`, so its policy would have to allow everything.
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

# In addition to those of Django's SecurityMiddleware: Referrer-Policy, Cross-Origin-Opener-Policy, nosniff.
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _REFUSED),
    "Cross-Origin-Resource-Policy": "same-origin",
    # Pages show data that needs permissions. Static files set their own Cache-Control.
    "Cache-Control": "no-store",
}


class HeadersMiddleware:
    """Middleware that sets each header that the response does not have yet."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response
