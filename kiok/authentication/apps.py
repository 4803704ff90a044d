"""Django app for refused logins and tokens."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.auth.signals import user_login_failed


class AuthenticationConfig(AppConfig):
    name = "kiok.authentication"
    label = "authentication"
    verbose_name = "Authentication"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from kiok.authentication import failures

        user_login_failed.connect(failures.on_login_failed, dispatch_uid="kiok.authentication")
