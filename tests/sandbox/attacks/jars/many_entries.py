# tries: contains 60 000 entries
# expect: the jar has 60001 entries; at most 50000 are read
# spares: nothing
from tests.sandbox.jar_runs import zipped


def jar(classes):
    return zipped({**classes("ZSound"), **{f"d/{number}.txt": b"" for number in range(60_000)}})
