"""Add the author, subject and time of the commit to DAG versions. Constant defaults rewrite no row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("metadata", "0004_owner_tags")]

    operations = [
        migrations.AddField(
            "dagversion",
            "commit_author",
            models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AddField(
            "dagversion",
            "commit_subject",
            models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="First line of the commit's message.",
                max_length=300,
            ),
        ),
        migrations.AddField("dagversion", "commit_time", models.DateTimeField(blank=True, null=True)),
    ]
