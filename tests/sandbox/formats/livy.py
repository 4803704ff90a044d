from kiok import Dag

dag = Dag("livy")
dag.task("before", "a")
dag.livy(
    "batch",
    url="http://livy:8998",
    file="s3://jobs/a.jar",
    class_name="com.acme.Job",
    args=["--day", "#{ds}", "ü"],
    conf={"spark.b": "2", "spark.a": "1", "spark.B": "x"},
    jars=("b.jar", "a.jar"),
    driver_memory="1g",
    executor_memory="2g",
    num_executors=4,
    queue="batch",
    name="nightly",
    proxy_user="etl",
    poll_interval_ms=2500,
    py_files=["x.py"],
    files=["x.csv"],
    archives=["x.zip"],
    driver_cores=1,
    executor_cores=2,
    requires=["before"],
    timeout="2h",
    config={"livy.other": None},
)
