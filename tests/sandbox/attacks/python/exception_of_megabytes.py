# tries: raises an error with a message of 50 MB
# expect: RuntimeError: xxx
raise RuntimeError("x" * 50_000_000)
