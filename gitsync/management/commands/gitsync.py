"""`manage.py gitsync`: sync repositories, run a dry run, follow requested syncs, or list repositories."""

from __future__ import annotations

import getpass
import json
import logging
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from gitsync.actions import ActionRefused, mark_accepted, pause_message
from gitsync.management import terminal, watch
from gitsync.models import Repository, RepositoryState, Trigger
from gitsync.repositories.declared import DeclarationError, follow_declaration, missing_declaration
from gitsync.repositories.operation import worker_hint
from gitsync.repositories.states import LABELS, QUEUED, shown_state, with_queue
from gitsync.sync.empty_hold import hold_of
from kiok import correlation
from kiok.cluster.conf import properties
from kiok.text import terminal_line

if TYPE_CHECKING:
    from gitsync.sync.context import SyncOptions
    from gitsync.sync.report import SyncReport

USAGE_ERROR = 2


class Command(BaseCommand):
    requires_system_checks = []  # they would import every page
    help = (
        "Sync repositories, follow requested syncs, or list the repositories. Reports the results; a dry run computes "
        "what a sync would do. "
        "Exit status 0: all repositories are in sync and no file failed; "
        "1: a repository or file failed (all valid DAGs are registered); 2: usage or configuration error, such as an "
        "invalid declaration of a repository (the other repositories are synced)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        action = parser.add_mutually_exclusive_group(required=True)
        action.add_argument(
            "--now", action="store_true", help="sync the enabled repositories and wait for the results"
        )
        action.add_argument(
            "--watch",
            action="store_true",
            help="follow the requested syncs that wait or run, print each change of state once, and end when none is left",
        )
        action.add_argument(
            "--list",
            action="store_true",
            help="list the repositories with their state, those in trouble first",
        )
        parser.add_argument(
            "--repo",
            action="append",
            metavar="NAME",
            help="only this repository; may be given more than once",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="with --now: report what a sync would do, without writing"
        )
        parser.add_argument(
            "--full", action="store_true", help="with --now: compile all files, including unchanged ones"
        )
        parser.add_argument(
            "--accept-empty",
            action="store_true",
            help="with --now and --repo: accept the commit that each named repository holds because it prunes every DAG, "
            "and sync it. If one of them holds none, nothing is accepted",
        )
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object on stdout, nothing else"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # The table replaces the log lines, and scripts need only the JSON.
        with correlation.bound(), _only_errors_logged() if options["verbosity"] < 2 else nullcontext():
            self._run(options)

    def _run(self, options: dict[str, Any]) -> None:
        if options["accept_empty"] and (not options["now"] or not options["repo"] or options["dry_run"]):
            raise CommandError(
                "--accept-empty requires --now and --repo NAME, and cannot be combined with --dry-run",
                returncode=USAGE_ERROR,
            )
        if options["watch"] and (options["dry_run"] or options["full"]):
            raise CommandError("--watch cannot be combined with --dry-run or --full", returncode=USAGE_ERROR)
        try:
            follow_declaration()
        except DeclarationError as exc:
            raise CommandError(str(exc), returncode=USAGE_ERROR) from exc
        if problem := missing_declaration():
            self.stderr.write(f"{problem}.", self.style.WARNING)
        invalid = self._invalid_declarations(options["repo"])
        repositories = self._chosen(options["repo"], also_off=options["list"])
        if options["list"]:
            self._list(terminal.by_trouble(repositories), options["json"])
            is_well = True
        elif options["watch"]:
            is_well = self._watch(repositories, options)
        else:
            is_well = self._sync_all(repositories, options)
        if invalid or not is_well:
            sys.exit(USAGE_ERROR if invalid else 1)

    def _invalid_declarations(self, names: list[str] | None) -> bool:
        """Report invalid declared repositories; return whether they concern the repositories to sync or list."""
        invalid = properties().invalid_repositories
        for item in invalid:
            self.stderr.write(f"kiok: {terminal_line(str(item))}")
        return any(names is None or item.name in names for item in invalid)

    def _sync_all(self, repositories: list[Repository], options: dict[str, Any]) -> bool:
        """Sync the repositories and show their reports; return whether all succeeded."""
        from gitsync.sync.context import SyncOptions  # imports the compilers, which the list does not need

        if options["repo"] is None and not options["dry_run"]:
            configured, repositories = repositories, self._without_paused(repositories)
            if configured and not repositories and not options["json"]:
                return True
        by = _accept_held(repositories) if options["accept_empty"] else ""
        requested = SyncOptions(trigger=Trigger.COMMAND, requested_by=by, full=options["full"], wait=True)
        reports = self._sync(repositories, requested, dry_run=options["dry_run"], quiet=options["json"])
        if options["json"]:
            self.stdout.write(json.dumps({"repositories": [report.to_json() for report in reports]}))
        else:
            terminal.show_reports(reports, dry_run=options["dry_run"])
        return all(report.ok for report in reports)

    def _watch(self, repositories: list[Repository], options: dict[str, Any]) -> bool:
        """Follow the repositories until no sync waits or runs; return whether all are in sync."""
        if options["repo"] is None:
            repositories = self._without_paused(repositories)
        hints: set[str] = set()

        def show(row: Repository, state: str) -> None:
            if not options["json"]:
                terminal.show_state(row, state)
            hint = worker_hint() if state == LABELS[QUEUED] else ""
            if hint and hint not in hints:
                hints.add(hint)
                self.stderr.write(hint, self.style.WARNING)

        rows = watch.follow(repositories, show)
        if options["json"]:
            self._list(rows, as_json=True)
        return all(shown_state(row) == RepositoryState.IN_SYNC for row in rows)

    def _chosen(self, names: list[str] | None, *, also_off: bool) -> list[Repository]:
        if names is None:
            rows = with_queue(Repository.objects.all())
            return list(rows if also_off else rows.filter(enabled=True))
        found = {
            repository.name: repository
            for repository in with_queue(Repository.objects.filter(name__in=names))
        }
        unknown = [name for name in names if name not in found]
        if unknown:
            known = ", ".join(Repository.objects.values_list("name", flat=True)[:20]) or "none yet"
            raise CommandError(
                f"no repository named {', '.join(map(repr, unknown))}. Configured: {known}",
                returncode=USAGE_ERROR,
            )
        return list(found.values())

    def _without_paused(self, repositories: list[Repository]) -> list[Repository]:
        """Return the repositories that are not paused, and warn about the others. With `--repo`, a paused one fails."""
        for repository in repositories:
            if repository.is_paused:
                message = terminal_line(pause_message(repository))
                self.stderr.write(f"{message} It is skipped.", self.style.WARNING)
        return [repository for repository in repositories if not repository.is_paused]

    def _sync(
        self, repositories: list[Repository], options: SyncOptions, *, dry_run: bool, quiet: bool
    ) -> list[SyncReport]:
        from gitsync.sync import run

        reports = []
        with terminal.progress(quiet) as show:
            for repository in repositories:
                step = show(repository.name)
                try:
                    if dry_run:
                        repository.refresh_from_db()
                        reports.append(run.dry_run(repository, full=options.full, progress=step)[0])
                    else:
                        reports.append(run.sync_repository(repository.pk, options, step))
                except Repository.DoesNotExist:
                    continue  # deleted since the list was read
        return reports

    def _list(self, repositories: list[Repository], as_json: bool) -> None:
        if as_json:
            rows = [terminal.repository_json(repository) for repository in repositories]
            self.stdout.write(json.dumps({"repositories": rows}))
        else:
            terminal.show_repositories(repositories)


def _accept_held(repositories: list[Repository]) -> str:
    """Accept the held commits of all repositories, or of none. Return the name that is recorded. Raise CommandError."""
    try:
        by = f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):  # a user without a name, as in a container
        by = "command line"
    try:
        with transaction.atomic():
            for repository in repositories:
                hold = hold_of(repository)
                mark_accepted(repository, hold.commit if hold else "", by)
    except ActionRefused as exc:
        raise CommandError(str(exc), returncode=USAGE_ERROR) from exc
    return by


@contextmanager
def _only_errors_logged() -> Iterator[None]:
    logger = logging.getLogger("gitsync")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
