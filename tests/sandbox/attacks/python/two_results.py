# tries: returns a result of its own before the compiler's result
# expect: what the compiler of this file delivered is no valid result: .*Extra data
import os

os.write(3, b'{"dags": [], "diagnostics": [], "keyed": true, "importFailed": false}')
