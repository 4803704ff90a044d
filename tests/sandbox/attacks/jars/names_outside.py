# tries: names entries that would land outside of the jar's folder if they were unpacked
# outcome: compiled
from tests.sandbox.jar_runs import zipped


def jar(classes):
    outside = {"../../tmp/Out.class": b"x", "/etc/passwd": b"x", "a\\..\\b.class": b"x", "C:evil.class": b"x"}
    return zipped({**classes("ZSound"), **outside})
