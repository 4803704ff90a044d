# tries: provides services that the JVM itself loads: charsets, file systems, loggers, name resolution
# outcome: compiled
from tests.sandbox.jar_runs import zipped

SERVICES = (
    "java.nio.charset.spi.CharsetProvider",
    "java.nio.file.spi.FileSystemProvider",
    "java.lang.System$LoggerFinder",
    "java.net.spi.InetAddressResolverProvider",
    "java.util.spi.ResourceBundleControlProvider",
)


def jar(classes):
    return zipped(
        {
            **classes("ZSound"),
            **classes("Other"),
            **{f"META-INF/services/{name}": b"Other" for name in SERVICES},
        }
    )
