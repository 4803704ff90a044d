"""The repositories in the screenshots of `make screenshots`: each team's first commit and its next pushes."""

from __future__ import annotations

from pathlib import Path

from tests.support.servers.repositories import WorkRepo

NIGHTLY = "analytics/dags/nightly.py::nightly"
BROKEN = "dags/invoices.yaml"
REASON = "the index moves to new machines until Monday"

NIGHTLY_SOURCE = '''\
"""Every night: load what the shops sold, region by region, and notify the sales team."""

from kiok import Dag, conn

REGIONS = {regions}
TRINO = {{"url": conn("trino", "url"), "user": conn("trino", "user")}}

dag = Dag("nightly", schedule="{schedule}", description="Loads sales by region and publishes the totals.")
begin = dag.task("begin", script="echo begin")
checks = []
for region in REGIONS:
    pull = dag.http(f"pull_{{region}}", f"https://shop.example/{{region}}", requires=begin)
    load = dag.trino(f"load_{{region}}", **TRINO, sql=f"INSERT INTO sales SELECT * FROM {{region}}", requires=pull)
    checks.append(dag.task(f"check_{{region}}", task_type="python", requires=load, script="assert True"))
total = dag.trino("total", **TRINO, sql="CALL totals()", requires=checks, timeout="{timeout}")
dag.livy("forecast", url=conn("spark", "url"), file="s3://jobs/forecast.jar", requires=total)
dag.task("report", task_type="python", requires=total, script="print('report')")
dag.http("tell_sales", "https://chat.example/sales", requires=total)
'''
REGIONS = ["apac", "benelux", "dach", "emea", "latam", "nordics"]
FIRST = NIGHTLY_SOURCE.format(regions=REGIONS, schedule="0 1 * * *", timeout="30m")
SECOND = NIGHTLY_SOURCE.format(regions=sorted([*REGIONS, "iberia"]), schedule="30 1 * * 1-5", timeout="45m")

HOURLY = """\
dag:
  id: {name}
  description: {what}
  schedule: "{minute} * * * *"
tasks:
  - id: fetch
    type: http
    config: {{url: "https://api.example/{name}"}}
  - id: store
    requires: [fetch]
    timeout: {timeout}
    script: ./store.sh {name}
"""
INVOICES = """\
dag:
  id: invoices
  schedule: "0 7 1 * *"
tasks:
  - id: collect
    script: ./collect.sh
  - id: send
    requires: [collect]
    script: ./send.sh
"""
REPORT = """\
from kiok import Dag

from lib.calendar import working_days

dag = Dag("dunning", schedule="0 8 * * 1-5")
dag.task("remind", script=f"remind.sh {working_days(14)}")
"""
# Slow enough that the sync can be seen while it runs.
SLOW = """\
import time

from kiok import Dag

time.sleep(0.1)
dag = Dag("tenant_{number:03}", schedule="{minute} 4 * * *")
dag.task("load", script="load.sh {number}")
"""


def hourly(name: str, minute: int, timeout: str = "5m") -> str:
    return HOURLY.format(
        name=name, what=f"Keeps {name.replace('_', ' ')} up to date.", minute=minute, timeout=timeout
    )


def hourlies(*names: str) -> dict[str, str | bytes]:
    """Return the files of hourly DAGs, a few minutes apart."""
    return {f"dags/{name}.yaml": hourly(name, 4 * len(name)) for name in names}


class Teams:
    """The clone of each team. Its first commit is pushed to a bare repository under `served`."""

    def __init__(self, served: Path) -> None:
        self.analytics = WorkRepo(served, "analytics.git")
        self.analytics.publish(
            {"dags/nightly.py": FIRST, "dags/prices.yaml": hourly("prices", 10)}, "Load sales"
        )
        self.billing = WorkRepo(served, "billing.git")
        self.billing.publish(
            {**hourlies("accounts", "payments", "refunds"), BROKEN: INVOICES}, "Bill customers"
        )
        self.marketing = WorkRepo(served, "marketing.git")
        self.marketing.publish(hourlies("campaigns", "newsletter", "segments"), "Reach customers")
        self.platform = WorkRepo(served, "platform.git")
        self.platform.publish({"dags/cleanup.yaml": hourly("cleanup", 50)}, "Clean up")
        self.search = WorkRepo(served, "search.git")
        self.search.publish(hourlies("catalogue", "ranking", "spelling", "synonyms"), "Feed the index")

    def names(self) -> tuple[str, ...]:
        return tuple(vars(self))

    def change_the_nightly_load(self) -> None:
        self.analytics.publish({"dags/nightly.py": SECOND}, "Load Iberia, on working days")

    def break_the_invoices(self) -> None:
        broken = INVOICES.replace("requires:", "require:")
        self.billing.publish({BROKEN: broken, "dags/dunning.py": REPORT}, "Send invoices, remind debtors")

    def rearrange_the_index(self) -> None:
        """Remove one file, change one and add one."""
        self.search.git("rm", "-q", "dags/spelling.yaml")
        files: dict[str, str | bytes] = {
            "dags/ranking.yaml": hourly("ranking", 21, "90s"),
            "dags/vectors.yaml": hourly("vectors", 40),
        }
        self.search.publish(files, "Vectors instead of spelling")

    def add_many_slow_files(self, number: int = 300) -> None:
        files: dict[str, str | bytes] = {
            f"dags/tenant_{place:03}.py": SLOW.format(number=place, minute=place % 60)
            for place in range(number)
        }
        self.platform.publish(files, "A load for each tenant")
