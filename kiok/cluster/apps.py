from __future__ import annotations

from django.apps import AppConfig


class ClusterConfig(AppConfig):
    name = "kiok.cluster"
    label = "cluster"
    verbose_name = "Cluster"
    default_auto_field = "django.db.models.BigAutoField"
