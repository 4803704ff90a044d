"""Create an index concurrently, so that runs can be written during the migration, however large the table is.

If the migration is interrupted, the next `manage.py migrate` reports that the index exists. Drop it with
`DROP INDEX run_of_version`, and migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("metadata", "0001_initial")]

    operations = [
        AddIndexConcurrently("dagrun", models.Index(fields=["uid", "version"], name="run_of_version")),
    ]
