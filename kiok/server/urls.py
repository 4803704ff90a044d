"""URLs of the site: the admin, the API and the webhooks. Probes are in kiok.server.middleware."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

admin.site.site_header = "kiok"
admin.site.site_title = "kiok"
admin.site.index_title = "Git Sync"
admin.site.site_url = None  # there is no other site: "/" redirects here

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("gitsync.api.urls")),
    path("", include("gitsync.webhooks.urls")),
    path("", RedirectView.as_view(url="/admin/")),
]
