# tries: requests in its manifest that the JVM loads an agent and native libraries, and opens Java's own modules
# outcome: compiled
from tests.sandbox.jar_runs import zipped


def jar(classes):
    manifest = (
        b"Manifest-Version: 1.0\r\nLauncher-Agent-Class: Other\r\nPremain-Class: Other\r\nMain-Class: Other\r\n"
        b"Add-Opens: java.base/java.lang\r\nEnable-Native-Access: ALL-UNNAMED\r\n\r\n"
    )
    return zipped({**classes("ZSound"), **classes("Other"), "META-INF/MANIFEST.MF": manifest})
