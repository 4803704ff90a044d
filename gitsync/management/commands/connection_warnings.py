"""`manage.py connection_warnings`: list the references of DAGs that may not be resolved."""

from __future__ import annotations

from argparse import ArgumentParser
from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gitsync.models import Repository
from gitsync.repositories.dag_warnings import dags_with_references, of_dags
from kiok.text import terminal_line

BATCH = 500  # DAGs that one query decides about


class Command(BaseCommand):
    requires_system_checks = []  # they would import every page
    help = (
        "List the references of DAGs that may not be resolved. Each names a connection that does not exist or that the "
        "DAG's repository may not use. Prints one line per DAG and reference. Use it after an upgrade, and after a "
        "connection is removed or a grant is taken back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repository", metavar="NAME", help="only DAGs of this repository")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["repository"]
        if name is not None and not Repository.objects.filter(name=name).exists():
            raise CommandError(f"there is no repository {terminal_line(name)!r}")
        dags = references = 0
        rows = dags_with_references(name).iterator(chunk_size=BATCH)
        for (repository, _), part in groupby(
            enumerate(rows), key=lambda pair: (pair[1][0], pair[0] // BATCH)
        ):
            found = of_dags(repository, {uid: spec for _, (_, uid, spec) in part})
            for uid, warnings in found.items():
                for item in warnings:
                    self.stdout.write(terminal_line(item.line(uid)))
            dags += len(found)
            references += sum(len(warnings) for warnings in found.values())
        self.stdout.write(f"DAGs with warnings: {dags}; warnings: {references}")
