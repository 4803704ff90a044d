from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gitsync", "0005_turns"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="noticedelivery",
            index=models.Index(
                condition=models.Q(("state", "given_up")),
                fields=["attempted_at"],
                name="notices_given_up",
            ),
        ),
    ]
