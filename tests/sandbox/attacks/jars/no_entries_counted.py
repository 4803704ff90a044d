# tries: declares in its directory that it contains no entries, or more entries than it has bytes
# expect: no readable jar
# spares: nothing
from tests.sandbox.jar_runs import zipped


def jar(classes):
    whole = zipped(classes("ZSound"))
    end = whole.rindex(b"PK\5\6")
    return whole[: end + 8] + b"\xff\xff\xff\xff" + b"\xff\xff\xff\x7f" * 2 + whole[end + 20 :]
