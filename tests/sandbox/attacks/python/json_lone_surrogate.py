# tries: returns a lone surrogate, which no database stores
# expect: surrogate
import os

task = b'{"id": "t", "type": "shell", "script": "echo \\ud800"}'
os.write(3, b'{"dags": [{"id": "a", "tasks": [' + task + b']}], "diagnostics": []}')
os._exit(0)
