# tries: contains classes with the names of classes of the SDK and the driver
# outcome: compiled
from tests.sandbox.jar_runs import zipped

PACKAGES = {
    "com/cloudcheflabs/kiok/sdk/": ("Dag", "Task", "Conn", "KiokDag", "Json"),
    "com/cloudcheflabs/kiok/driver/": ("Main", "Channel", "JarLoader"),
    "java/lang/": ("String", "Object"),
}


def jar(classes):
    forged = classes("Other")["Other.class"]
    shadows = {f"{folder}{name}.class": forged for folder, names in PACKAGES.items() for name in names}
    return zipped({**shadows, **classes("ZSound")})
