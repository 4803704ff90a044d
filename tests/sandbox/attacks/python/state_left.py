# tries: leaves another environment, folder, umask, locale and search path for the next file
# outcome: not_a_dag
import locale
import os
import random
import sys

os.environ["LEFT"] = "behind"
os.putenv("PYTHONPATH", "/tmp")
os.umask(0o777)
os.chdir("/tmp")
locale.setlocale(locale.LC_ALL, "C")
random.seed(1)
sys.path[:] = ["/tmp"]
sys.modules["json"] = None
