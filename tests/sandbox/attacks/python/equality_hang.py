# tries: defines a DAG with an id whose comparison never ends
# outcome: compiled
from kiok import Dag


class Endless(str):
    def __eq__(self, other):
        while True:
            pass

    __hash__ = str.__hash__


dag = Dag(Endless("endless"))
dag.task(Endless("a"), script="true")
dag.task(Endless("b"), script="true", requires=[Endless("a")])
