"""Add the owner and the tags of DAGs. DAGs that were registered before have neither."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metadata", "0003_descriptions"),
    ]

    operations = [
        migrations.AddField(
            model_name="dag",
            name="owner",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Owner that the DAG names, otherwise the default owner of its repository.",
                max_length=200,
            ),
        ),
        migrations.AddField(
            model_name="dag",
            name="tags",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=63),
                blank=True,
                db_default=[],
                default=list,
                size=None,
            ),
        ),
        migrations.AddIndex(
            model_name="dag",
            index=models.Index(fields=["owner"], name="dag_by_owner"),
        ),
        migrations.AddIndex(
            model_name="dag",
            index=django.contrib.postgres.indexes.GinIndex(fields=["tags"], name="dag_by_tag"),
        ),
    ]
