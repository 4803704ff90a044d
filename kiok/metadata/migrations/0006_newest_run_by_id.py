"""Extend the index of a DAG's newest run by the id, so that reading that run needs no sort."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("metadata", "0005_commit_facts")]

    operations = [
        migrations.RemoveIndex("dagrun", "newest_run_of_dag"),
        migrations.AddIndex(
            "dagrun", models.Index(fields=["uid", "-created_at", "-id"], name="newest_run_of_dag")
        ),
    ]
