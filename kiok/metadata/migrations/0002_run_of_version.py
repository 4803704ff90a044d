"""An index, made beside the work: runs go on being written meanwhile, be the table ever so large.

Where it is cut off, the next `manage.py migrate` says that the index exists: drop it, `DROP INDEX run_of_version`, and
migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("metadata", "0001_initial")]

    operations = [
        AddIndexConcurrently("dagrun", models.Index(fields=["uid", "version"], name="run_of_version")),
    ]
