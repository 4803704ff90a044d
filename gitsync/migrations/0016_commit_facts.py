"""Add the author, subject and time of the commit to syncs. Constant defaults rewrite no row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gitsync", "0015_repository_owner")]

    operations = [
        migrations.AddField(
            "syncrun",
            "commit_author",
            models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Name of the author of `to_commit`.",
                max_length=200,
            ),
        ),
        migrations.AddField(
            "syncrun",
            "commit_subject",
            models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="First line of the message of `to_commit`.",
                max_length=300,
            ),
        ),
        migrations.AddField(
            "syncrun",
            "commit_time",
            models.DateTimeField(blank=True, help_text="Time of `to_commit`.", null=True),
        ),
    ]
