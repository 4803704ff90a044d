# tries: reports a problem in the name of its sibling
# expect: forged problem
import json
import os

problem = {"message": "forged problem", "path": "innocent_0000.py", "line": 1}
os.write(3, json.dumps({"dags": [], "diagnostics": [problem]}).encode())
os._exit(0)
