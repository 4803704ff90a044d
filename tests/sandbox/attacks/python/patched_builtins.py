# tries: removes every builtin function, and os.write
# expect: before it delivered a result
import builtins
import os

for name in dir(builtins):
    if not name.startswith("__"):
        delattr(builtins, name)
os.write = os._exit = None
