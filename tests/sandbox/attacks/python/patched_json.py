# tries: replaces what the driver's child writes JSON with by a result of its own making
# expect: what the compiler of this file delivered is no valid result
import json

json.dumps = lambda *_, **__: '{"dags": "forged"}'
json.JSONEncoder.encode = json.dumps
