from kiok import Dag

dag = Dag("durations", default_timeout="1.5h")
dag.task("milliseconds", "a", timeout="250ms")
dag.task("seconds", "a", timeout="90s")
dag.task("minutes", "a", timeout="5m")
dag.task("hours", "a", timeout="1.5h")
dag.task("days", "a", timeout="2d")
dag.task("fraction", "a", timeout="0.1s")
dag.task("camel", "a", timeout="1ms")
dag.task("snake", "a", timeout="999999999999999999ms")
dag.task("none", "a", timeout=None)
