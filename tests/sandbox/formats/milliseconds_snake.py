from kiok import Dag

dag = Dag("milliseconds_snake", catchup=True, catchup_window="1ms", retry_delay="0s")
dag.task("a", "a")
