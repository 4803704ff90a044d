"""The roles, and the table of docs/operate/access.md: what each may do, by the pages and operations that do it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module

from django.apps import apps
from django.contrib.auth.models import Group

ROLES = ("Viewer", "Editor", "Operator", "Admin")


def roles() -> dict[str, Group]:
    """Return the groups of the roles. A test that empties the tables also removes what the migration made."""
    import_module("gitsync.migrations.0017_roles").make_roles(apps, None)
    return {name: Group.objects.get(name=name, role__isnull=False) for name in ROLES}


@dataclass(frozen=True)
class Row:
    """A row of the table: what is done, the first role that may do it ("": none), and the requests that do it.

    A request is `GET <page>`, `POST <page>`, `ACTION <list> <action>`, or `API <operation>`.
    """

    title: str
    first: str
    requests: tuple[str, ...]

    def allows(self, role: str) -> bool:
        return self.first != "" and ROLES.index(role) >= ROLES.index(self.first)


def _row(title: str, first: str, *requests: str | Iterable[str]) -> Row:
    return Row(
        title, first, tuple(name for item in requests for name in ([item] if isinstance(item, str) else item))
    )


def _see(*models: str) -> list[str]:
    return [f"GET {model}_{end}" for model in models for end in ("changelist", "change", "history")]


def _add(*models: str) -> list[str]:
    return [f"{method} {model}_add" for model in models for method in ("GET", "POST")]


def _edit(*models: str) -> list[str]:
    return [f"POST {model}_change" for model in models]


def _delete(*models: str) -> list[str]:
    return [f"{method} {model}_delete" for model in models for method in ("GET", "POST")]


def _named(start: str, names: str) -> list[str]:
    return [f"{start}{name}" for name in names.split()]


REPOSITORY, CHANNEL = "gitsync_repository", "notifications_notificationchannel"
TOKEN, CONNECTION = "gitsync_apitoken", "connections_connection"
USER, GROUP = "auth_user", "auth_group"
WRITTEN = ("gitsync_syncrun", "gitsync_sourcefile", "gitsync_delivery")
HISTORY = ("metadata_dag", "metadata_dagversion", "metadata_dagrun")
QUEUE = ("django_q_ormq", "django_q_success", "django_q_failure", "django_q_schedule")
LOG = "admin_logentry"

TABLE = (
    _row(
        "Log in, change the own password, read the own token's scopes",
        "Viewer",
        _named("GET ", "index login app_list jsi18n password_change password_change_done"),
        "POST password_change",
        "API me",
    ),
    _row(
        "See the overview and the system page, search",
        "Viewer",
        _named("GET gitsync_", "overview overview_status search system system_status"),
    ),
    _row(
        "See repositories, with the progress and results of their syncs, dry runs and tests",
        "Viewer",
        _see(REPOSITORY),
        _named(f"GET {REPOSITORY}_", "named asked asked_status sync_status check_status dry_run_status"),
        _named("API ", "repositories repository sync_request dry_run"),
    ),
    _row(
        "See files and errors",
        "Viewer",
        _see("gitsync_sourcefile"),
        "GET gitsync_errors",
        _named("API ", "files file errors"),
    ),
    _row(
        "See syncs",
        "Viewer",
        _see("gitsync_syncrun"),
        "GET gitsync_syncrun_status",
        _named("API ", "syncs sync"),
    ),
    _row("See webhook deliveries", "Viewer", _see("gitsync_delivery")),
    _row(
        "See DAGs, their versions and runs",
        "Viewer",
        _see(*HISTORY),
        _named("API ", "dags dag graph versions version runs run"),
    ),
    _row(
        "See notification channels, without their URLs",
        "Viewer",
        _see(CHANNEL),
        f"GET {CHANNEL}_status",
        _named("API ", "notification_channels notification_channel notification_deliveries"),
    ),
    _row(
        "Sync, also fully; dry run; test the connection",
        "Editor",
        _named(f"POST {REPOSITORY}_", "sync dry_run check"),
        _named(f"ACTION {REPOSITORY}_changelist ", "sync_now sync_now_full"),
        _named("ACTION metadata_dag_changelist ", "sync_repositories sync_repositories_full"),
        _named("API ", "sync_repository dry_run_repository"),
    ),
    _row(
        "See, create and delete own API tokens",
        "Editor",
        _see(TOKEN),
        _add(TOKEN),
        _delete(TOKEN),
        f"ACTION {TOKEN}_changelist delete_selected",
    ),
    _row(
        "Add, edit and delete repositories",
        "Operator",
        _add(REPOSITORY),
        _edit(REPOSITORY),
        _delete(REPOSITORY),
        _named(f"POST {REPOSITORY}_", "check_new check_form"),
        f"ACTION {REPOSITORY}_changelist delete_selected",
        _named("API ", "add_repository change_repository replace_repository remove_repository"),
    ),
    _row(
        "Pause and resume",
        "Operator",
        _named(f"POST {REPOSITORY}_", "pause resume"),
        _named(f"ACTION {REPOSITORY}_changelist ", "pause_selected resume_selected"),
        _named("API ", "pause_repository resume_repository"),
    ),
    _row("Accept a held commit", "Operator", f"POST {REPOSITORY}_accept_empty", "API accept_empty"),
    _row(
        "Add, edit, delete and test notification channels",
        "Operator",
        _add(CHANNEL),
        _edit(CHANNEL),
        _delete(CHANNEL),
        f"POST {CHANNEL}_test",
        _named(f"ACTION {CHANNEL}_changelist ", "test_selected delete_selected"),
    ),
    _row(
        "See and add connections; stored values are never shown",
        "Operator",
        _see(CONNECTION),
        _add(CONNECTION),
        _named("API ", "connections connection"),
    ),
    _row("Check the sandbox", "Operator", "POST gitsync_system_check"),
    _row(
        "Edit and delete connections, accept a host key",
        "Admin",
        _edit(CONNECTION),
        _delete(CONNECTION),
        f"ACTION {CONNECTION}_changelist delete_selected",
        f"POST {REPOSITORY}_accept_host_key",
    ),
    _row(
        "See, add, edit and delete users; set their passwords, roles and teams",
        "Admin",
        _see(USER),
        _add(USER),
        _edit(USER),
        _delete(USER),
        _named("GET auth_user_", "password_change"),
        _named("POST auth_user_", "password_change"),
        f"ACTION {USER}_changelist delete_selected",
    ),
    _row(
        "See, add, edit and delete teams and roles",
        "Admin",
        _see(GROUP),
        _add(GROUP),
        _edit(GROUP),
        _delete(GROUP),
        "API groups",
        f"ACTION {GROUP}_changelist delete_selected",
    ),
    _row("See the tasks of the queue and the log of all changes", "Admin", _see(*QUEUE, LOG)),
    _row(
        "Change what syncs, webhooks and runs write; change the queue, the log, or a token",
        "",
        _add(*WRITTEN, *HISTORY, *QUEUE, LOG),
        _edit(*WRITTEN, *HISTORY, *QUEUE, LOG, TOKEN),
        _delete(*WRITTEN, *HISTORY, *QUEUE, LOG),
    ),
)


def as_markdown() -> str:
    """Return the table as the document has it."""
    lines = [f"| action | {' | '.join(ROLES)} |", f"|---|{'---|' * len(ROLES)}"]
    for row in TABLE:
        cells = ["yes" if row.allows(role) else "" for role in ROLES]
        lines.append(f"| {row.title} | {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |"))
    return "\n".join(lines)
