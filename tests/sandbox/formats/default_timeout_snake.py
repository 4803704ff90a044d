from kiok import Dag

dag = Dag("default_timeout_snake", default_timeout="1ms")
dag.task("a", "a")
