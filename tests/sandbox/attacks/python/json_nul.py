# tries: returns the character NUL, which PostgreSQL does not store
# expect: NUL|U\+0000|\\u0000|control character
import os

task = b'{"id": "t", "type": "shell", "script": "echo \\u0000"}'
os.write(3, b'{"dags": [{"id": "a", "tasks": [' + task + b']}], "diagnostics": []}')
os._exit(0)
