# tries: fills /dev/shm
# expect: No such file or directory|Permission denied
with open("/dev/shm/big", "wb") as file:
    while True:
        file.write(b"x" * (1 << 20))
