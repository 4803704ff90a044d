# tries: fills the source folder
# expect: Permission denied
with open("/src/big", "wb") as file:
    while True:
        file.write(b"x" * (1 << 20))
