from kiok import Dag, secret

dag = Dag("trino")
dag.task("before", "a")
dag.trino(
    "query",
    "https://trino:8443",
    "etl",
    "-- daily\nSELECT count(*) FROM t WHERE day = '#{ds}'\n",
    password=secret("trino"),
    catalog="hive",
    schema="sales",
    source="kiok",
    poll_interval_ms=500,
    requires="before",
    timeout="1h",
    config={"trino.session": {"query_max_run_time": "1h"}},
)
