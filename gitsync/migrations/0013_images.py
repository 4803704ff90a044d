"""Keep the images of a repository in one column, by format."""

from django.db import migrations, models

FORMATS = {"image_python": "python", "image_java": "jar"}


def keep_images(apps, _schema_editor):
    repositories = apps.get_model("gitsync", "Repository").objects
    for row in repositories.exclude(image_python="", image_java="").only(*FORMATS):
        row.images = {name: image for column, name in FORMATS.items() if (image := getattr(row, column))}
        row.save(update_fields=["images"])


def restore_columns(apps, _schema_editor):
    for row in apps.get_model("gitsync", "Repository").objects.exclude(images={}).only("images"):
        for column, name in FORMATS.items():
            setattr(row, column, row.images.get(name, ""))
        row.save(update_fields=[*FORMATS])


def image_column():
    return models.CharField(blank=True, default="", max_length=255)


class Migration(migrations.Migration):
    dependencies = [("gitsync", "0012_descriptions")]

    operations = [
        migrations.AddField(
            "repository",
            "images",
            models.JSONField(
                blank=True,
                default=dict,
                help_text="Images that compile the repository's files, by format. Formats without an entry use the "
                "service's image.",
            ),
        ),
        migrations.AlterField("repository", "image_python", image_column()),
        migrations.AlterField("repository", "image_java", image_column()),
        migrations.RunPython(keep_images, restore_columns),
        migrations.RemoveField("repository", "image_python"),
        migrations.RemoveField("repository", "image_java"),
    ]
