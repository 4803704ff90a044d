# tries: allocates memory without end
# expect: MemoryError
held = []
while True:
    held.append(bytearray(16 << 20))
