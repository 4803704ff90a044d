# tries: contains a class file that declares more constants than it has
# expect: entry Lies.class is no valid class file
from tests.sandbox.jar_runs import zipped


def jar(classes):
    lies = (
        b"\xca\xfe\xba\xbe\0\0\0\x34\xff\xff" + b"\1\0\x21com/cloudcheflabs/kiok/sdk/KiokDag" + b"\1\xff\xff"
    )
    return zipped({**classes("ZSound"), "Lies.class": lies})
