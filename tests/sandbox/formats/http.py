from kiok import Dag, secret

dag = Dag("http")
before = dag.task("before", "a")
dag.http(
    "object",
    "https://hooks.example/publish",
    method="POST",
    headers={"X-Token": secret("hook"), "Accept": "application/json"},
    body={"rows": 3, "ok": True, "items": [1, "two"]},
    requires=before,
    timeout="10s",
    config={"expect": 201},
)
dag.http("text", "https://hooks.example", body='{"as": "it is"}')
