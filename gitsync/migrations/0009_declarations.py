from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gitsync", "0008_file_retries"),
    ]

    operations = [
        migrations.AddField(
            model_name="repository",
            name="declaration_problem",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                help_text="The repository fails with it, and is not fetched. Its configuration is the last valid one.",
            ),
        ),
        migrations.AddField(
            model_name="repository",
            name="declaration_reason",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=40),
        ),
    ]
