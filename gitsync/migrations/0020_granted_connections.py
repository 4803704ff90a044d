"""Add the connections that a repository's DAGs may use in references."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0003_usable_by"),
        ("gitsync", "0019_state_labels"),
    ]

    operations = [
        migrations.AddField(
            "repository",
            "granted_connections",
            models.ManyToManyField(
                blank=True,
                editable=False,
                help_text="Connections that the repository's DAGs may use in references; see kiok.connections.usage.",
                related_name="usable_by_repositories",
                to="connections.connection",
            ),
        ),
    ]
