"""Rename models and fields to the field's standard terms: queued sync, tenant, priority, pending request."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gitsync", "0009_declarations"),
    ]

    operations = [
        migrations.RemoveIndex("turn", "turn_next"),
        migrations.RenameModel("Turn", "QueuedSync"),
        migrations.RenameField("queuedsync", "lane", "priority"),
        migrations.RenameField("queuedsync", "team", "tenant"),
        migrations.RenameField("queuedsync", "asked_at", "requested_at"),
        migrations.RenameField("queuedsync", "taken_at", "claimed_at"),
        migrations.RenameField("queuedsync", "taken_by", "claimed_by"),
        migrations.AlterField(
            model_name="queuedsync",
            name="arguments",
            field=models.JSONField(help_text="Arguments of the task after the repository's key."),
        ),
        migrations.AlterField(
            model_name="queuedsync",
            name="priority",
            field=models.PositiveSmallIntegerField(choices=[(0, "requested"), (1, "found by a poll")]),
        ),
        migrations.AlterField(
            model_name="queuedsync",
            name="repository",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=models.deletion.CASCADE,
                related_name="queued_syncs",
                to="gitsync.repository",
            ),
        ),
        migrations.AddIndex(
            "queuedsync",
            models.Index(fields=["number", "priority", "requested_at"], name="queued_sync_next"),
        ),
        migrations.RenameField("repository", "told_state", "notified_state"),
        migrations.RenameField("repository", "untold_looks", "unnotified_polls"),
        migrations.RenameField("repository", "follow_up", "pending_request"),
        migrations.RenameField("repository", "judgement", "last_outcome"),
        migrations.RenameField("sourcefile", "questions", "traced_accesses"),
    ]
