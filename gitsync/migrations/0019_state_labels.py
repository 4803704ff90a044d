"""Capitalise the labels of states. No column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gitsync", "0018_newest_failing_file"),
    ]

    operations = [
        migrations.AlterField(
            model_name="delivery",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("queued", "Sync queued"),
                    ("waiting", "Added to a sync that was already queued"),
                    ("ping", "Ping"),
                    ("replay", "Already delivered"),
                    ("not_a_push", "Event that moves no ref"),
                    ("other_ref", "The ref is not the one that is followed"),
                    ("disabled", "The repository is disabled"),
                    ("paused", "The repository is paused"),
                    ("payload", "The body is not what the service documents"),
                    ("unsigned", "No signature or token"),
                    ("signature", "Not signed with the repository's secret"),
                    ("secret", "The repository has no usable secret"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="repository",
            name="state",
            field=models.CharField(
                choices=[
                    ("never", "Never synced"),
                    ("in_sync", "In sync"),
                    ("degraded", "Degraded"),
                    ("failing", "Failing"),
                ],
                default="never",
                editable=False,
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="sourcefile",
            name="state",
            field=models.CharField(
                choices=[
                    ("compiled", "Compiled"),
                    ("failed", "Failed"),
                    ("not_a_dag", "Not a DAG"),
                    ("ignored", "Ignored"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="syncrun",
            name="state",
            field=models.CharField(
                choices=[
                    ("running", "Running"),
                    ("succeeded", "Succeeded"),
                    ("partial", "Degraded"),
                    ("failed", "Failed"),
                    ("abandoned", "Abandoned"),
                ],
                default="running",
                max_length=10,
            ),
        ),
    ]
