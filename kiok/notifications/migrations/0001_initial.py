"""Take over the notifications and their channels from gitsync, with their tables."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("connections", "0001_initial"),
        ("gitsync", "0013_images"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="ChannelGroup",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "group",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="auth.group"
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "group of a notification channel",
                        "db_table": "gitsync_noticereceiver_groups",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="ChannelRepository",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "repository",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="gitsync.repository",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "repository of a notification channel",
                        "db_table": "gitsync_noticereceiver_repositories",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="Notification",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                        (
                            "event",
                            models.CharField(
                                choices=[
                                    ("failing", "repository is failing"),
                                    ("degraded", "repository is degraded"),
                                    ("recovered", "repository is in sync again"),
                                    ("test", "test"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("before", models.CharField(blank=True, max_length=10, verbose_name="state before")),
                        ("state", models.CharField(blank=True, max_length=10)),
                        ("reason", models.CharField(blank=True, max_length=40)),
                        ("message", models.TextField(blank=True)),
                        ("commit", models.CharField(blank=True, max_length=64)),
                        ("at", models.DateTimeField()),
                        (
                            "repository",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="notifications",
                                to="gitsync.repository",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "notification",
                        "db_table": "gitsync_notice",
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="NotificationChannel",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("name", models.CharField(max_length=100, unique=True)),
                        ("enabled", models.BooleanField(default=True)),
                        (
                            "kind",
                            models.CharField(
                                choices=[("webhook", "webhook"), ("email", "e-mail")],
                                default="webhook",
                                max_length=10,
                            ),
                        ),
                        (
                            "url",
                            models.CharField(
                                blank=True,
                                help_text="https://… URL of the webhook. Put a URL that is itself secret into the connection, as webhookUrl.",
                                max_length=2000,
                                verbose_name="URL",
                            ),
                        ),
                        (
                            "style",
                            models.CharField(
                                choices=[
                                    ("json", "JSON"),
                                    ("slack", "Slack"),
                                    ("teams", "Microsoft Teams"),
                                    ("mattermost", "Mattermost"),
                                ],
                                default="json",
                                help_text="Format of a webhook's body. It also decides how values are escaped.",
                                max_length=12,
                                verbose_name="format",
                            ),
                        ),
                        (
                            "template",
                            models.TextField(
                                blank=True,
                                help_text="JSON with {placeholders} in its strings. Empty for the format's built-in template.",
                            ),
                        ),
                        (
                            "addresses",
                            models.TextField(blank=True, help_text="E-mail addresses, one per line."),
                        ),
                        (
                            "all_repositories",
                            models.BooleanField(default=False, help_text="Notify about every repository."),
                        ),
                        (
                            "created_at",
                            models.DateTimeField(
                                default=django.utils.timezone.now, editable=False, verbose_name="created"
                            ),
                        ),
                        (
                            "failures",
                            models.PositiveIntegerField(
                                default=0, editable=False, verbose_name="consecutive failures"
                            ),
                        ),
                        (
                            "retry_at",
                            models.DateTimeField(editable=False, null=True, verbose_name="next attempt"),
                        ),
                        ("holder", models.CharField(blank=True, editable=False, max_length=200)),
                        ("held_until", models.DateTimeField(editable=False, null=True)),
                        (
                            "groups",
                            models.ManyToManyField(
                                blank=True,
                                help_text="Notify about the repositories of these groups.",
                                related_name="notification_channels",
                                through="notifications.ChannelGroup",
                                to="auth.group",
                            ),
                        ),
                        (
                            "repositories",
                            models.ManyToManyField(
                                blank=True,
                                help_text="Notify about these repositories.",
                                related_name="notification_channels",
                                through="notifications.ChannelRepository",
                                to="gitsync.repository",
                            ),
                        ),
                        (
                            "secret",
                            models.ForeignKey(
                                blank=True,
                                help_text="For a webhook: a connection with webhookUrl, authorization or secret (which signs the body). See the guide.",
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="notification_channels",
                                to="connections.connection",
                                verbose_name="connection",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "notification channel",
                        "db_table": "gitsync_noticereceiver",
                        "ordering": ["name"],
                    },
                ),
                migrations.AddField(
                    model_name="channelrepository",
                    name="channel",
                    field=models.ForeignKey(
                        db_column="noticereceiver_id",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="notifications.notificationchannel",
                    ),
                ),
                migrations.AddField(
                    model_name="channelgroup",
                    name="channel",
                    field=models.ForeignKey(
                        db_column="noticereceiver_id",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="notifications.notificationchannel",
                    ),
                ),
                migrations.CreateModel(
                    name="NotificationDelivery",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[("waiting", "waiting"), ("sent", "sent"), ("given_up", "given up")],
                                default="waiting",
                                max_length=10,
                            ),
                        ),
                        ("attempts", models.PositiveIntegerField(default=0)),
                        (
                            "outcome",
                            models.CharField(
                                blank=True, help_text="Result of the last attempt.", max_length=500
                            ),
                        ),
                        (
                            "created_at",
                            models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                        ),
                        ("attempted_at", models.DateTimeField(null=True, verbose_name="last attempt")),
                        (
                            "channel",
                            models.ForeignKey(
                                db_column="receiver_id",
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="deliveries",
                                to="notifications.notificationchannel",
                            ),
                        ),
                        (
                            "notification",
                            models.ForeignKey(
                                db_column="notice_id",
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="deliveries",
                                to="notifications.notification",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "notification delivery",
                        "verbose_name_plural": "notification deliveries",
                        "db_table": "gitsync_noticedelivery",
                        "ordering": ["-id"],
                    },
                ),
                migrations.AddIndex(
                    model_name="notification",
                    index=models.Index(fields=["repository", "-id"], name="notice_newest_first"),
                ),
                migrations.AlterUniqueTogether(
                    name="channelrepository",
                    unique_together={("channel", "repository")},
                ),
                migrations.AlterUniqueTogether(
                    name="channelgroup",
                    unique_together={("channel", "group")},
                ),
                migrations.AddIndex(
                    model_name="notificationdelivery",
                    index=models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["channel", "id"],
                        name="notices_waiting",
                    ),
                ),
                migrations.AddIndex(
                    model_name="notificationdelivery",
                    index=models.Index(fields=["channel", "-id"], name="notices_newest_first"),
                ),
                migrations.AddIndex(
                    model_name="notificationdelivery",
                    index=models.Index(
                        condition=models.Q(("state", "given_up")),
                        fields=["attempted_at"],
                        name="notices_given_up",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="notificationdelivery",
                    constraint=models.UniqueConstraint(
                        fields=("notification", "channel"), name="one_delivery_per_receiver"
                    ),
                ),
            ]
        )
    ]
