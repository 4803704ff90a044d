"""URLs of the API, under `/api/v1/`."""

from __future__ import annotations

from gitsync.api import service

app_name = service.NAMESPACE
urlpatterns = service.urls()
