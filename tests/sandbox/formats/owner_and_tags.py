from kiok import Dag

dag = Dag(
    "owner_and_tags",
    owner='Équipe Ventes 東京 \U0001f600 <b>"x"</b> \\ e\u0301',
    tags=("sales", "2024", "cost-center:4711", "team/eu.nightly_2", "Z"),
)
dag.task("t", "echo")
