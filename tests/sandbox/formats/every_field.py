from kiok import Dag

dag = Dag(
    "every_field",
    schedule="*/10 6-18 1,15 JAN-jun mon-fri",
    catchup=True,
    default_timeout="30m",
    name="Every field",
    description='Holds every key; "quoted", and on\ntwo lines',
)
first = dag.task("first", '#!/bin/bash\necho "first"\n')
dag.task(
    "second",
    task_type="python",
    script="print('zweite Änderung')",
    requires="first",
    timeout="90s",
    config={"slot": 1, "queue": "nightly"},
)
dag.task("third", type="shell", script="\techo third \\ 'x'", requires=["second", first])
