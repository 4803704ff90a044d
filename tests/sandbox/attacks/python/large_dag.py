# tries: defines a DAG larger than a result may be
# expect: its compiled form passes the limit of 1048576 bytes
from kiok import Dag

dag = Dag("large")
for number in range(40):
    dag.task(f"t{number}", script="x" * 50_000)
