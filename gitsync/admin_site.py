"""The admin's site: Git Sync has a page in the index that is no list of rows."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse


class Site(AdminSite):
    """Django's own, with the page of the system among those of Git Sync."""

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The index and the sidebar, by app."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            if app["app_label"] == "gitsync" and request.user.has_perm("gitsync.view_repository"):
                app["models"].append(
                    {
                        "name": "System",
                        "object_name": "System",
                        "admin_url": reverse("admin:gitsync_system"),
                        "add_url": None,
                        "view_only": True,
                        "perms": {"view": True},
                    }
                )
        return apps
