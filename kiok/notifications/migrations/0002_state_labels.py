"""Capitalise the labels of states. No column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="notification",
            name="event",
            field=models.CharField(
                choices=[
                    ("failing", "Failing"),
                    ("degraded", "Degraded"),
                    ("recovered", "In sync again"),
                    ("test", "Test"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="notificationdelivery",
            name="state",
            field=models.CharField(
                choices=[("waiting", "Waiting"), ("sent", "Sent"), ("given_up", "Given up")],
                default="waiting",
                max_length=10,
            ),
        ),
    ]
