from kiok import Dag

dag = Dag(
    "camel_case",
    catchup=True,
    catchup_window="24h",
    max_active_runs=1,
    overlap="queue",
    retry_delay="1000ms",
    params={},
)
dag.task("a", "a")
