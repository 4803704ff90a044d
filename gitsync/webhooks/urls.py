"""URLs of webhooks, with and without a trailing slash: no service follows a redirect with its body."""

from __future__ import annotations

from django.urls import re_path

from gitsync.webhooks.views import hook

_HOOK = r"^hooks/(?P<name>[a-z0-9][a-z0-9._-]{0,62})"

urlpatterns = [
    re_path(rf"{_HOOK}/\Z", hook, name="webhook"),
    re_path(rf"{_HOOK}\Z", hook),
]
