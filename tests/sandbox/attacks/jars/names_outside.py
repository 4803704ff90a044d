# tries: names entries that would be unpacked outside the jar's folder
# outcome: compiled
from tests.sandbox.jar_runs import zipped


def jar(classes):
    outside = {"../../tmp/Out.class": b"x", "/etc/passwd": b"x", "a\\..\\b.class": b"x", "C:evil.class": b"x"}
    return zipped({**classes("ZSound"), **outside})
