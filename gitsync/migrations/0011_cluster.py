"""Give the leader's lease and the workers to kiok.cluster, and keep the state of the declaration in a row of its own."""

from django.db import migrations, models

MOVED = {"leadership": "leaderlease", "worker": "worker"}


def keep_problem(apps, _schema_editor):
    row = apps.get_model("gitsync", "Leadership").objects.filter(pk=1).first()
    if row and row.declaration_problem:
        apps.get_model("gitsync", "DeclarationState").objects.create(pk=1, problem=row.declaration_problem)


def move_permissions(apps, _schema_editor):
    """Keep the permissions that groups and users have on the moved models."""
    types, permissions = apps.get_model("contenttypes", "ContentType"), apps.get_model("auth", "Permission")
    for old, new in MOVED.items():
        found = types.objects.filter(app_label="gitsync", model=old).first()
        if found is None or types.objects.filter(app_label="cluster", model=new).exists():
            continue
        found.app_label, found.model = "cluster", new
        found.save()
        for permission in permissions.objects.filter(content_type=found):
            permission.codename = permission.codename.removesuffix(old) + new
            permission.save()


class Migration(migrations.Migration):
    dependencies = [
        ("gitsync", "0010_standard_names"),
        ("cluster", "0001_initial"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeclarationState",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                (
                    "problem",
                    models.TextField(blank=True, default="", help_text="Empty if the leader follows them."),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="one_declaration_state_row")
                ],
            },
        ),
        migrations.RunPython(keep_problem, migrations.RunPython.noop),
        migrations.RemoveField("leadership", "declaration_problem"),
        migrations.RunPython(move_permissions, migrations.RunPython.noop),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.DeleteModel("Leadership"), migrations.DeleteModel("Worker")],
        ),
    ]
