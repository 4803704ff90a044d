from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gitsync", "0007_allow_empty"),
    ]

    operations = [
        migrations.AddField(
            model_name="sourcefile",
            name="retry_at",
            field=models.DateTimeField(
                null=True,
                verbose_name="next retry",
                help_text="It failed for a cause that may pass; not compiled again before.",
            ),
        ),
        migrations.AddField(
            model_name="sourcefile",
            name="attempts",
            field=models.PositiveIntegerField(
                default=0,
                db_default=0,
                help_text="Consecutive failures that are retried, of the same content.",
            ),
        ),
        migrations.AlterField(
            model_name="repository",
            name="judgement",
            field=models.JSONField(
                default=dict,
                editable=False,
                help_text="How the last sync that came to an end judged, and under what: commit, config, images, state, reason, message. `until`: the commit is retried then; `retry_at`: some of its files are. Empty when the same commit may well fare otherwise next time.",
            ),
        ),
    ]
