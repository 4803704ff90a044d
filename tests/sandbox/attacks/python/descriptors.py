# tries: opens files until no more can be
# expect: Too many open files
held = []
while True:
    held.append(open("/dev/null"))
