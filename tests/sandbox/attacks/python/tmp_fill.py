# tries: fills the temporary folder
# expect: No space left on device
with open("/tmp/big", "wb") as file:
    while True:
        file.write(b"x" * (1 << 20))
