# tries: contains a manifest of 100 MB
# outcome: compiled
from tests.sandbox.jar_runs import zipped


def jar(classes):
    manifest = b"Manifest-Version: 1.0\r\n" + b"X: y\r\n" * (100 << 20 >> 3)
    return zipped({**classes("ZSound"), "META-INF/MANIFEST.MF": manifest})
