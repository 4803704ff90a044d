from kiok import Dag, secret

dag = Dag("ontul")
batch = dag.ontul("batch", "http://ontul", script="INSERT INTO t SELECT 1")
dag.ontul("streaming", "http://ontul", job_type="STREAMING", sql="INSERT INTO t SELECT 2")
dag.ontul(
    "class",
    "http://ontul",
    token=secret("ontul"),
    job_type="CLASS",
    class_name="com.acme.Load",
    deps=["s3://jobs/b.jar", "s3://jobs/a.jar"],
    args={"to": "2", "from": "1"},
    job_config={"memory": "4g", "cores": "2"},
    job_name="nightly load",
    deps_connection_id="lake",
    deps_s3_prefix="deps/",
    poll_interval_ms=1000,
    requires=[batch],
    timeout="1d",
    config={"ontul.retries": 3},
)
dag.ontul("python", "http://ontul", job_type="PYTHON", script_path="s3://jobs/load.py", deps=[], args={})
