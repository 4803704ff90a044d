"""Git Sync's pages that are no lists of rows: overview, errors, system."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.urls import URLResolver, include, path

from gitsync.admin.errors import ErrorViews
from gitsync.admin.overview import OverviewViews
from gitsync.admin.system import SystemViews
from gitsync.models import Repository, SourceFile


def urls(site: AdminSite) -> list[URLResolver]:
    """Their addresses, beside those of the lists: under that of a list the sidebar would take them for a part of it."""
    repositories, files = site.get_model_admin(Repository), site.get_model_admin(SourceFile)
    views = (OverviewViews(repositories), ErrorViews(files), SystemViews(repositories))
    return [path("gitsync/", include([url for view in views for url in view.urls()]))]
