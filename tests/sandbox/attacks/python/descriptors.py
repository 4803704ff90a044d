# tries: opens files up to the limit of descriptors
# expect: Too many open files
held = []
while True:
    held.append(open("/dev/null"))
