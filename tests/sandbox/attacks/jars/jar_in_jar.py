# tries: hides a DAG class in a jar inside the jar
# outcome: compiled
from tests.sandbox.jar_runs import zipped


def jar(classes):
    return zipped({**classes("ZSound"), "BOOT-INF/lib/inner.jar": zipped(classes("SystemExit"))})
