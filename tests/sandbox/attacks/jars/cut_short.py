# tries: is truncated in the middle
# expect: no readable jar
# spares: nothing
from tests.sandbox.jar_runs import zipped


def jar(classes):
    whole = zipped(classes("ZSound"))
    return whole[: len(whole) // 2]
