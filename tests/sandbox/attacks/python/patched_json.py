# tries: replaces the JSON encoder of the driver's child to return a forged result
# expect: what the compiler of this file delivered is no valid result
import json

json.dumps = lambda *_, **__: '{"dags": "forged"}'
json.JSONEncoder.encode = json.dumps
