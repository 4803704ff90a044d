# tries: replaces the SDK's own functions
# expect: exit status 70 before it delivered a result
# prints: NoneType
import sys

for name, module in list(sys.modules.items()):
    if name.partition(".")[0] == "kiok":
        for inner in list(vars(module)):
            if not inner.startswith("__"):
                setattr(module, inner, None)
