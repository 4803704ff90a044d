"""The DAGs of the benchmarks: five tasks each, the same in every format and in Airflow's SDK."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator

Files = Iterator[tuple[str, bytes]]

_PYTHON = '''"""Number {number}: {word}."""

from kiok import Dag

dag = Dag("d{number:05}", schedule="30 2 * * *", default_timeout="30m", description="Number {number}.")
extract = dag.task("extract", script="echo extract {number} {word}")
clean = dag.task("clean", script="echo clean {number}", requires=extract)
check = dag.task("check", script="echo check {number}", requires=extract, timeout="5m")
load = dag.task("load", script="echo load {number}", requires=[clean, check])
dag.task("report", script="echo report {number}", requires=load)
'''

_YAML = """# Number {number}: {word}.
dag:
  id: d{number:05}
  schedule: "30 2 * * *"
  default_timeout: 30m
  description: Number {number}.
tasks:
  - id: extract
    script: echo extract {number} {word}
  - id: clean
    script: echo clean {number}
    requires: [extract]
  - id: check
    script: echo check {number}
    requires: [extract]
    timeout: 5m
  - id: load
    script: echo load {number}
    requires: [clean, check]
  - id: report
    script: echo report {number}
    requires: [load]
"""

_AIRFLOW = '''"""Number {number}: {word}."""

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    "d{number:05}",
    schedule="30 2 * * *",
    default_args={{"execution_timeout": timedelta(minutes=30)}},
    description="Number {number}.",
):
    extract = BashOperator(task_id="extract", bash_command="echo extract {number} {word}")
    clean = BashOperator(task_id="clean", bash_command="echo clean {number}")
    check = BashOperator(
        task_id="check", bash_command="echo check {number}", execution_timeout=timedelta(minutes=5)
    )
    load = BashOperator(task_id="load", bash_command="echo load {number}")
    report = BashOperator(task_id="report", bash_command="echo report {number}")
    extract >> [clean, check] >> load >> report
'''

_JAVA = """import com.cloudcheflabs.kiok.sdk.Dag;
import com.cloudcheflabs.kiok.sdk.KiokDag;

public class D{number} implements KiokDag {{
    public Dag define() {{
        Dag dag = new Dag("d{number:05}").schedule("30 2 * * *").defaultTimeoutMs(1_800_000L);
        dag.task("extract").shell("echo extract {number}");
        dag.task("clean").shell("echo clean {number}").requires("extract");
        dag.task("check").shell("echo check {number}").requires("extract").timeoutMs(300_000L);
        dag.task("load").shell("echo load {number}").requires("clean", "check");
        dag.task("report").shell("echo report {number}").requires("load");
        return dag;
    }}

    /** For the floor: a JVM that loads this class from its jar and exits. */
    public static void main(String[] arguments) {{
    }}
}}
"""


def _many(template: str, ending: str) -> Callable[..., Files]:
    def files(count: int, *, first: int = 0, word: str = "first") -> Files:
        """Yield (path, content) of `count` files from number `first` on. Another `word` gives another DAG."""
        for number in range(first, first + count):
            content = template.format(number=number, word=word).encode()
            yield f"dags/d{number:05}{ending}", content

    return files


python_files = _many(_PYTHON, ".py")
yaml_files = _many(_YAML, ".yaml")
airflow_files = _many(_AIRFLOW, ".py")


def jar_files(count: int) -> Files:
    """Yield (path, content) of `count` jars with one DAG class each. A container compiles the classes."""
    from tests.sandbox.javac import compile_jar

    together = compile_jar({f"D{number}.java": _JAVA.format(number=number) for number in range(count)})
    with zipfile.ZipFile(io.BytesIO(together)) as archive:
        for number in range(count):
            jar = io.BytesIO()
            with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as one:
                one.writestr(f"D{number}.class", archive.read(f"D{number}.class"))
            yield f"dags/d{number:05}.jar", jar.getvalue()
