# tries: leaves threads that never end
# outcome: compiled
import threading
import time

from kiok import Dag

for _ in range(4):
    threading.Thread(target=time.sleep, args=(3600,)).start()
dag = Dag("threads_left")
dag.task("only", script="true")
