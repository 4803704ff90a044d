# tries: reads the memory map of the driver
# expect: Permission denied
raise SystemExit(open("/proc/1/maps").read())
