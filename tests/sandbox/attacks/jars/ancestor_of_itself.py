# tries: contains classes that extend each other in a circle
# outcome: compiled
import struct

from tests.sandbox.jar_runs import zipped


def _class(name, parent):
    def text(value):
        return b"\1" + struct.pack(">H", len(value)) + value

    constants = text(name) + b"\7\0\1" + text(parent) + b"\7\0\3"
    return b"\xca\xfe\xba\xbe\0\0\0\x34\0\5" + constants + struct.pack(">7H", 0x21, 2, 4, 0, 0, 0, 0)


def jar(classes):
    circle = {"One.class": _class(b"One", b"Two"), "Two.class": _class(b"Two", b"One")}
    return zipped({**classes("ZSound"), **circle})
