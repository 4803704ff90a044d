# tries: leaves files, pipes, links and folders of every mode in /tmp to disturb the next file
# outcome: not_a_dag
import os

os.makedirs("/tmp/left/behind")
os.mkfifo("/tmp/left/pipe")
os.symlink("/", "/tmp/root")
os.symlink("/src", "/tmp/left/src")
os.mkdir("/tmp/blind", 0o300)
open("/tmp/blind/json.py", "w").close()
os.mkdir("/tmp/unreadable", 0)
