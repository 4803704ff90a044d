from kiok import Dag

dag = Dag("no_tags", owner=None, tags=[])
dag.task("t", "echo")
