"""Capitalise the labels of states. No column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metadata", "0006_newest_run_by_id"),
    ]

    operations = [
        migrations.AlterField(
            model_name="dagrun",
            name="state",
            field=models.CharField(
                choices=[
                    ("PENDING", "Pending"),
                    ("RUNNING", "Running"),
                    ("SUCCESS", "Success"),
                    ("FAILED", "Failed"),
                    ("CANCELLED", "Cancelled"),
                ],
                default="PENDING",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="taskrun",
            name="state",
            field=models.CharField(
                choices=[
                    ("PENDING", "Pending"),
                    ("RUNNING", "Running"),
                    ("SUCCESS", "Success"),
                    ("FAILED", "Failed"),
                    ("CANCELLED", "Cancelled"),
                ],
                default="PENDING",
                max_length=10,
            ),
        ),
    ]
