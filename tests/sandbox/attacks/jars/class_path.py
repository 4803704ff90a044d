# tries: names another jar of the repository in its manifest's Class-Path, to use the classes of that jar
# expect: class UsesOther: .*NoClassDefFoundError: Other
from tests.sandbox.jar_runs import zipped


def jar(classes):
    manifest = b"Manifest-Version: 1.0\r\nClass-Path: other.jar ./ file:/src/other.jar\r\n\r\n"
    return zipped({**classes("ZSound"), **classes("UsesOther"), "META-INF/MANIFEST.MF": manifest})
