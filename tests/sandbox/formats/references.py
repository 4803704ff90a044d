from kiok import Dag, conn, secret

dag = Dag("references")
dag.task(
    "script",
    f"psql {conn('warehouse', 'url')} -c '#{{ds}}' # {secret('db')} #{{ds_nodash - 1d}} ${{HOME}}",
    config={"text": conn("warehouse", "password"), "list": [secret("db"), "#{ts}"]},
)
