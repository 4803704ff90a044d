"""Add the default owner of repositories. Repositories that were added before have none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gitsync", "0014_notifications"),
    ]

    operations = [
        migrations.AddField(
            model_name="repository",
            name="owner",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Team or person. The owner of the DAGs that name none. Empty: they have no owner.",
                max_length=200,
            ),
        ),
    ]
