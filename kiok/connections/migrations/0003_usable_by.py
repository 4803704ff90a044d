"""Add who may use a connection in references. Nobody may until it is granted. A constant default rewrites no row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("connections", "0002_connection_types"),
    ]

    operations = [
        migrations.AddField(
            "connection",
            "usable_by_all",
            models.BooleanField(
                db_default=False,
                default=False,
                help_text="DAGs of every repository may use the connection, also of repositories that are added later.",
                verbose_name="everyone",
            ),
        ),
        migrations.AddField(
            "connection",
            "usable_by_groups",
            models.ManyToManyField(
                blank=True,
                help_text="DAGs of the repositories of these groups may use the connection.",
                related_name="usable_connections",
                to="auth.group",
                verbose_name="teams",
            ),
        ),
    ]
