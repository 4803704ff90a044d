"""The DAGs of platform_rows.py: schedules, owners, tags, problems, and specs of a few tasks or of 500 in layers."""

from __future__ import annotations

from itertools import product
from typing import Any

DAGS = 150
LONGEST_PATH = 150  # characters
LARGE_DAG_TASKS = 500
LARGE_DAGS = (20, 22)  # places in the list of files
SCHEDULES = (
    *("*/5 * * * *", "0 * * * *", "0 6 * * *", "30 7 * * 1-5", "0 4 * * 1", "0 3 1 * *", None),
    *("15 */4 * * *", "0 6,18 * * MON-FRI", "7-59/13 2 * 1,4,7,10 *"),
)
# Long ones and hostile ones too. An empty owner: neither the DAG nor its repository names one.
OWNERS = (
    *("", "Data Platform", "Équipe Ventes", "grace.hopper@data-platform.example.com", "<b>x</b>", "W" * 200),
    "Finance Reporting and Regulatory Compliance, Central Europe (on call: +49 30 1234567)",
)
TAGS = ("", "daily", "cost:4711 x", f"{'x' * 63} {'y' * 63}", " ".join(f"report:{n}" for n in range(20)))
# Of the DAGs that a list shows first, and that screenshots show: the owners and tags that most teams have.
USUAL_OWNERS = (
    "Data Platform",
    "Équipe Ventes",
    "Finance Reporting",
    "grace.hopper@data-platform.example.com",
)
USUAL_TAGS = ("daily", "cost:4711 daily", "", "regulator")
PROBLEMS = (
    "unknown key `require`: did you mean `requires`?",
    "ModuleNotFoundError: No module named 'lib.calendars'. The repository has lib/calendar.py.",
    "task `publish_totals` requires `aggregate_by_region_and_currency`, which does not exist in this DAG",
    "the schedule `0 25 * * *` is not valid: the hour must be 0 to 23",
)
_TYPES = ("shell", "python", "shell", "trino", "http")
_TEAMS = ("teams/finance/ledger", "teams/growth/attribution", "teams/operations/supply_chain", "shared")
_SUBJECTS = (
    *("reconciliation/daily/general_ledger_against_bank_statements", "invoices/monthly/close_of_books"),
    *("sessions/hourly", "orders", "exports/regulator/anti_money_laundering_suspicious_activity_reports"),
    *("features/customer_lifetime_value", "quality/freshness_and_completeness_checks"),
)
_KINDS = ("load", "validate_and_publish", "backfill", "aggregate_by_region_currency_and_product_line")
_SUFFIXES = ("yaml", "py", "yaml", "jar")


def paths() -> list[str]:
    """Return the paths of the DAG files, each at most `LONGEST_PATH` characters long."""
    found = [
        f"{team}/{subject}/{kind}.{_SUFFIXES[number % len(_SUFFIXES)]}"
        for number, (kind, subject, team) in enumerate(product(_KINDS, _SUBJECTS, _TEAMS))
    ]
    found += [path.replace(".", "_v2.", 1) for path in found]
    longest = "teams/finance/ledger/reconciliation/daily/" + "accounts_receivable_and_payable_" * 3
    found[0] = longest.ljust(LONGEST_PATH - len(".yaml"), "x") + ".yaml"
    return found[:DAGS]


def dag_id_of(path: str) -> str:
    return "_".join(path.partition(".")[0].split("/")[-2:])


def labels_of(number: int, *, usual: bool) -> dict[str, Any]:
    """Return the owner and the tags of a DAG."""
    owners, tags = (USUAL_OWNERS, USUAL_TAGS) if usual else (OWNERS, TAGS)
    return {"owner": owners[number % len(owners)], "tags": tags[number % len(tags)].split()}


def tasks_of(number: int) -> int:
    return LARGE_DAG_TASKS if number in LARGE_DAGS else 3 + number % 9


def title_of(path: str) -> str:
    return " ".join(path.rpartition(".")[0].split("/")[-2:]).replace("_", " ").capitalize()[:80]


def spec_of(path: str, tasks: int) -> dict[str, Any]:
    """Return a spec in layers of ten tasks; each task requires one or two of the layer before."""
    listed = []
    for at in range(tasks):
        before = [at - 10, at - 9][: 1 + at % 2] if at >= 10 else [0][:at]
        listed.append(
            {
                "id": task_id_of(at),
                "type": _TYPES[at % len(_TYPES)],
                "script": "./bin/load --table staging.orders --date #{date}",
                "requires": [task_id_of(one) for one in before if one < at],
                "timeoutMs": 300_000,
                "config": {"queue": "batch", "slot": str(at % 4)},
            }
        )
    return {"id": dag_id_of(path), "name": dag_id_of(path), "tasks": listed}


def task_id_of(number: int) -> str:
    return f"aggregate_orders_by_region_and_currency_{number}" if number % 9 == 5 else f"load_orders_{number}"


def source_of(path: str, tasks: int) -> str:
    lines = ["dag:", f"  id: {dag_id_of(path)}", "tasks:"]
    for task in spec_of(path, tasks)["tasks"]:
        lines += [f"- id: {task['id']}", f"  type: {task['type']}", f"  script: {task['script']}"]
        lines += [f"  requires: [{', '.join(task['requires'])}]", "  timeout: 5m"]
    return "\n".join(lines) + "\n"
