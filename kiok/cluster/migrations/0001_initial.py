"""Take over the leader's lease and the workers from gitsync, with their tables."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("gitsync", "0010_standard_names"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="LeaderLease",
                    fields=[
                        (
                            "id",
                            models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                        ),
                        ("holder", models.CharField(blank=True, max_length=200)),
                        ("number", models.PositiveBigIntegerField(default=0)),
                        ("expires_at", models.DateTimeField(null=True)),
                        (
                            "taken_at",
                            models.DateTimeField(help_text="When the holder became the leader.", null=True),
                        ),
                        ("installation", models.UUIDField(default=uuid.uuid4, editable=False)),
                    ],
                    options={
                        "db_table": "gitsync_leadership",
                        "constraints": [
                            models.CheckConstraint(condition=models.Q(("id", 1)), name="one_leadership_row")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Worker",
                    fields=[
                        (
                            "name",
                            models.CharField(
                                help_text="See kiok.cluster.process_id.",
                                max_length=200,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("started_at", models.DateTimeField(verbose_name="started")),
                        ("seen_at", models.DateTimeField(verbose_name="last seen")),
                        (
                            "engine",
                            models.CharField(
                                blank=True,
                                help_text="Problem of its container engine; empty if it has none.",
                                max_length=500,
                            ),
                        ),
                        (
                            "ready",
                            models.PositiveIntegerField(
                                default=0, help_text="Warm containers of this engine."
                            ),
                        ),
                        (
                            "data_free_bytes",
                            models.BigIntegerField(
                                help_text="Free space of its data folder; null if unknown.", null=True
                            ),
                        ),
                    ],
                    options={"db_table": "gitsync_worker"},
                ),
            ],
        ),
    ]
