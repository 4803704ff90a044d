"""Add the roles Viewer, Editor, Operator and Admin: groups with permissions, marked by a row of Role.

A group with one of these names that exists already is kept as it is: a team with its members and permissions.
"""

import django.db.models.deletion
from django.db import migrations, models

# Permissions by role, as (app and model, actions). Each role has those of the previous ones.
VIEWER = (
    ("gitsync.repository", ("view",)),
    ("gitsync.sourcefile", ("view",)),
    ("gitsync.syncrun", ("view",)),
    ("gitsync.delivery", ("view",)),
    ("metadata.dag", ("view",)),
    ("metadata.dagversion", ("view",)),
    ("metadata.dagrun", ("view",)),
    ("metadata.taskrun", ("view",)),
    ("notifications.notificationchannel", ("view",)),
)
EDITOR = (
    *VIEWER,
    ("gitsync.repository", ("sync_repository",)),
    ("gitsync.apitoken", ("add", "delete", "view")),
)
OPERATOR = (
    *EDITOR,
    ("gitsync.repository", ("add", "change", "delete")),
    ("notifications.notificationchannel", ("add", "change", "delete")),
    ("connections.connection", ("add", "view")),
)
ROLES = {"Viewer": VIEWER, "Editor": EDITOR, "Operator": OPERATOR}
ADMIN = "Admin"
ADMIN_APPS = ("gitsync", "metadata", "connections", "notifications", "auth", "admin", "django_q")


def make_roles(apps, _schema_editor):
    """Create the roles that no group has the name of. Running it again changes nothing."""
    groups, roles = apps.get_model("auth", "Group"), apps.get_model("gitsync", "Role")
    for name in (*ROLES, ADMIN):
        group, is_new = groups.objects.get_or_create(name=name)
        if not is_new:
            continue
        roles.objects.create(group=group)
        group.permissions.set(_all(apps) if name == ADMIN else _permissions(apps, ROLES[name]))


def _permissions(apps, wanted):
    found = []
    for label, actions in wanted:
        model = apps.get_model(label)
        names = _names(model)
        found += [
            _permission(apps, model, codename, names[codename])
            for codename in (
                f"{action}_{model._meta.model_name}" if "_" not in action else action for action in actions
            )
        ]
    return found


def _all(apps):
    return [
        _permission(apps, model, codename, name)
        for app in ADMIN_APPS
        for model in apps.get_app_config(app).get_models()
        for codename, name in _names(model).items()
    ]


def _names(model):
    """Return the model's permissions, as Django creates them after the migrations: their names by codename."""
    options = model._meta
    usual = {
        f"{action}_{options.model_name}": f"Can {action} {options.verbose_name_raw}"
        for action in options.default_permissions
    }
    return {**usual, **dict(options.permissions)}


def _permission(apps, model, codename, name):
    """Return the permission. In a new database Django has not created it yet."""
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=model._meta.app_label, model=model._meta.model_name
    )
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename=codename, defaults={"name": name}
    )
    return permission


class Migration(migrations.Migration):
    dependencies = [
        ("gitsync", "0016_commit_facts"),
        ("metadata", "0005_commit_facts"),
        ("connections", "0001_initial"),
        ("notifications", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]

    operations = [
        migrations.CreateModel(
            name="Role",
            fields=[
                (
                    "group",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="role",
                        serialize=False,
                        to="auth.group",
                    ),
                ),
            ],
            options={"default_permissions": ()},
        ),
        migrations.AlterModelOptions(
            name="repository",
            options={
                "ordering": ["name"],
                "permissions": [
                    ("view_all_repositories", "Can see the repositories of every group"),
                    ("sync_repository", "Can sync, dry-run and test repositories"),
                ],
                "verbose_name_plural": "repositories",
            },
        ),
        migrations.RunPython(make_roles, migrations.RunPython.noop),
    ]
