from kiok import Dag

dag = Dag("nothing_but_needs")
dag.task("only", "true")
