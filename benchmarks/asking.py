"""`python -m benchmarks.asking SCALE RUNS`: measure the time of the service's code for each admin page.

Fills the database of the environment, requests every page in this process as a superuser, and prints JSON:
`[{"page": name, "status": int, "ms": [each time]}]`. `SCALE` divides the number of rows; 1 means all of them.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import fields, replace

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from tests.support import admin_pages, admin_rows  # noqa: E402

AMOUNTS = admin_rows.Amounts(
    repositories=1000,
    dags=10_000,
    versions=20_000,
    runs=20_000,
    syncs=50_000,
    files=50_000,
    deliveries=50_000,
    connections=200,
    tasks=1000,
)


def main(scale: int, runs: int) -> None:
    amounts = {field.name: max(8, getattr(AMOUNTS, field.name) // scale) for field in fields(AMOUNTS)}
    admin_rows.fill(replace(AMOUNTS, **amounts))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("ada"))
    keys = admin_rows.keys()
    found = []
    given = {"name": "r00001", "uid": keys["metadata.Dag"]}
    for page in admin_pages.pages(lambda model: keys.get(model._meta.label), given):
        for query in ("", "?q=0001&o=2") if page.is_list else ("",):
            address = page.address + query
            status = client.get(address).status_code  # warm-up
            taken = []
            for _run in range(runs):
                began = time.perf_counter()
                client.get(address)
                taken.append((time.perf_counter() - began) * 1000)
            found.append({"page": page.name + query, "status": status, "ms": taken})
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
