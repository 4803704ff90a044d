from kiok import Dag

dag = Dag("task_types", "0 3 * * 7", False)
dag.task("shell", script="run.sh")
dag.task("python", task_type="python", script="print(1)")
dag.http("http", "http://hooks.example")
dag.livy("livy", "http://livy:8998", "s3://jobs/a.jar")
dag.trino("trino", "http://trino:8080", "etl", "SELECT 1")
dag.ontul("ontul", "http://ontul", sql="SELECT 2")
dag.task("callable", type="python_callable", config={"module": "jobs.load", "callable": "run"})
dag.task("java", type="java", config={"class": "com.acme.Load"})
