"""The app of the metadata store: registered DAGs, their versions and their runs."""

from django.apps import AppConfig


class MetadataConfig(AppConfig):
    name = "kiok.metadata"
    label = "metadata"
    verbose_name = "DAGs and runs"
    default_auto_field = "django.db.models.BigAutoField"
