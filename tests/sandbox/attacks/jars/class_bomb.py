# tries: contains a class file of a few kilobytes that unpacks to 100 MB
# expect: entry Bomb.class is larger than 16777216 bytes, too large for a class
from tests.sandbox.jar_runs import zipped


def jar(classes):
    return zipped({**classes("ZSound"), "Bomb.class": bytes(100 << 20)})
