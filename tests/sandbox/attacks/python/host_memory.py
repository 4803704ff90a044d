# tries: reads the host's memory
# expect: No such file|Permission denied|found: b''
found = open("/proc/kcore", "rb").read(16)
raise (SystemExit if found else RuntimeError)(f"found: {found!r}")
