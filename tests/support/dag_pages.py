"""DAGs with versions and runs, and the text of their admin pages."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

from django.contrib.admin.utils import quote
from django.test import Client
from django.utils import timezone

from kiok.metadata.models import Dag, DagRun, DagVersion

EVIL = '"><script>alert(1)</script>'
UID = "team/a.yaml"


def page_of(uid: str = UID, **query: Any) -> tuple[str, dict[str, Any]]:
    return f"/admin/metadata/dag/{quote(uid)}/change/", query


def text(browser: Client, address: str, query: dict[str, Any] | None = None) -> str:
    answer = browser.get(address, query or {})
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


def words(shown: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", shown)).split())


def spec(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"id": "a", "name": "a", "tasks": list(tasks)}


def task(id: str, *requires: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "type": "shell", "requires": list(requires), "script": "x", **fields}


def make_dag(uid: str = UID, **fields: Any) -> Dag:
    now = timezone.now()
    given = {
        **{
            "dag_id": "a",
            "name": "a",
            "origin": "git",
            "spec": spec(task("t")),
            "spec_hash": "0",
            "version": 1,
        },
        **{"repository": uid.partition("/")[0], "source_path": uid.partition("/")[2]},
    }
    return Dag.objects.create(uid=uid, created_at=now, updated_at=now, **{**given, **fields})


def make_version(number: int, uid: str = UID, **fields: Any) -> DagVersion:
    given = {"spec": spec(task("t", script=f"echo {number}")), "source": f"script: echo {number}\n"}
    return DagVersion.objects.create(
        uid=uid, version=number, spec_hash=str(number), created_at=timezone.now(), **{**given, **fields}
    )


def make_run(version: int, state: str, seconds: float | None = None, uid: str = UID) -> DagRun:
    start = timezone.now() - timedelta(hours=1)
    end = start + timedelta(seconds=seconds) if seconds is not None else None
    return DagRun.objects.create(
        uid=uid, version=version, trigger="manual", state=state, started_at=start, finished_at=end
    )
