"""The warm-up DAG that the driver compiles before the first request: a task of every kind, and their common settings."""

from kiok import Dag, conn, secret

dag = Dag(
    "rehearsal",
    name="Rehearsal",
    description="Warm-up DAG, never registered.",
    schedule="*/15 6-18 1,15 JAN-DEC MON-FRI",
    catchup=False,
    default_timeout="90m",
)
first = dag.task("first", '#!/bin/bash\necho "first"\n')
dag.task("second", "print('second')", task_type="python", requires="first", timeout="90s", config={"slot": 1})
dag.task(
    "third",
    type="shell",
    script="echo",
    requires=["second", first],
    config={"in": {"s": ["1", True, 2.5, None]}},
)
dag.http("http", "https://hooks.example", requires=[first])
dag.livy("livy", "https://livy.example", "s3://jobs/a.jar")
dag.trino("trino", "https://trino.example", "etl", "SELECT 1")
dag.ontul("ontul", "https://ontul.example", sql="SELECT 2", config={"password": secret("rehearsal")})
dag.task(
    "callable",
    type="python_callable",
    config={"module": "a.b", "callable": "run", "conn": conn("rehearsal", "host")},
)
dag.task("java", type="java", config={"class": "com.acme.Load"})
