# tries: reads the driver's memory
# expect: Permission denied
raise SystemExit(open("/proc/1/mem", "rb").read(1))
