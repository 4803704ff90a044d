# tries: leaves exit hooks and finalisers that never end
# outcome: compiled
import atexit
import time

from kiok import Dag


class Lingers:
    def __del__(self):
        time.sleep(3600)


atexit.register(time.sleep, 3600)
lingering = Lingers()
dag = Dag("exit_hooks")
dag.task("only", script="true")
