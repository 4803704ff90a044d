"""Give the notifications and their channels to kiok.notifications."""

from django.db import migrations

MOVED = {
    "notice": ("notification", "notification"),
    "noticedelivery": ("notificationdelivery", "notification delivery"),
    "noticereceiver": ("notificationchannel", "notification channel"),
}  # model: its new name, and its name for people


def move_permissions(apps, _schema_editor):
    """Keep the permissions that groups and users have on the moved models, and the audit log's entries on them."""
    types, permissions = apps.get_model("contenttypes", "ContentType"), apps.get_model("auth", "Permission")
    for old, (new, words) in MOVED.items():
        found = types.objects.filter(app_label="gitsync", model=old).first()
        if found is None or types.objects.filter(app_label="notifications", model=new).exists():
            continue
        found.app_label, found.model = "notifications", new
        found.save()
        for permission in permissions.objects.filter(content_type=found):
            action = permission.codename.removesuffix(f"_{old}")
            permission.codename, permission.name = f"{action}_{new}", f"Can {action} {words}"
            permission.save()


class Migration(migrations.Migration):
    dependencies = [
        ("gitsync", "0013_images"),
        ("notifications", "0001_initial"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunPython(move_permissions, migrations.RunPython.noop),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel("NoticeDelivery"),
                migrations.DeleteModel("Notice"),
                migrations.DeleteModel("NoticeReceiver"),
            ],
        ),
    ]
