from datetime import date

from kiok import Dag

dag = Dag(
    "for_runs",
    schedule="30 2 * * *",
    catchup=True,
    timezone="America/Argentina/Buenos_Aires",
    max_active_runs=3,
    overlap="skip",
    catchup_window="1.5d",
    retries=2,
    retry_delay="90s",
    params={
        "note": {},
        "full": {"type": "boolean", "default": False},
        "ratio": {"type": "number", "default": 0.1, "choices": (0.1, 1, 2.0, 10_000_000_000)},
        "batch": {"type": "integer", "choices": [10, 20]},
        "limit": {"type": "integer", "default": -(2**63)},
        "since": {"type": "date", "default": date(2024, 2, 29)},
        "day": {"type": "date", "required": True},
        "region": {
            "type": "string",
            "default": "eu",
            "choices": ["eu", "us", 'Zürich \U0001f600 "x"'],
            "description": "Where to load\nfrom",
        },
    },
)
image = "registry.example.com:5000/team/etl:1.4"
load = dag.task("load", "load.sh", retries=0, retry_delay="0s", image=image)
dag.task("clean", "print(1)", "python", load, runs="always", retries=1000, retry_delay="1h")
dag.http("tell", "u", requires=load, runs="on_success", retries=None, retry_delay="5ms")
dag.livy("run", "u", "f", retries=1, retry_delay="1.5s", runs="always")
dag.trino("query", "u", "v", "SELECT 1", retries=2, retry_delay="1s", runs="always")
dag.ontul("job", "u", sql="SELECT 1", retries=3, retry_delay="2s", runs="always")
