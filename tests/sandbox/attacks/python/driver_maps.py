# tries: reads where the driver's memory lies
# expect: Permission denied
raise SystemExit(open("/proc/1/maps").read())
