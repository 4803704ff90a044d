# tries: leaves a daemon that keeps the pipes of the result and the output open, so that they never end
# outcome: compiled
import os
import time

from kiok import Dag

if os.fork() == 0:
    os.setsid()
    time.sleep(3600)
    os._exit(0)
dag = Dag("pipe_held_open")
dag.task("only", script="true")
