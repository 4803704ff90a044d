"""A DAG with one load per region: a loop creates the tasks, and other files share the list of regions."""

from lib.regions import REGIONS

from kiok import Dag, conn

dag = Dag(
    "regional",
    schedule="0 3 * * *",
    default_timeout="30m",
    description="Loads every region, then checks all of them.",
)
setup = dag.task("setup", script="#!/bin/bash\necho prepare")
loads = [
    dag.task(
        f"load_{region}",
        task_type="python",
        requires=setup,
        script=f"print('loading {region}')",
        timeout="5m",
        config={"slot": slot},
    )
    for slot, region in enumerate(REGIONS)
]
dag.trino(
    "check",
    url=conn("trino", "url"),
    user=conn("trino", "user"),
    sql="SELECT region, count(*) FROM loads GROUP BY region",
    requires=loads,
)
