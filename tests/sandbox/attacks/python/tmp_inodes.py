# tries: creates empty files without end in the temporary folder
# expect: No space left on device
number = 0
while True:
    number += 1
    open(f"/tmp/{number}", "w").close()
