"""Create an index of the failed files in the order of the page of errors."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gitsync", "0017_roles")]

    operations = [
        migrations.AddIndex(
            "sourcefile",
            models.Index(
                models.F("first_failed_at").desc(nulls_last=True),
                models.F("id").desc(),
                condition=models.Q(state="failed"),
                name="newest_failing_file",
            ),
        ),
    ]
