# tries: defines a value whose conversion to text never ends
# expect: not done within 2 s and was killed|must be a string|found
# limit: 2
from kiok import Dag


class Endless:
    def __repr__(self):
        while True:
            pass

    __str__ = __repr__


dag = Dag("endless")
dag.task("only", script=Endless())
