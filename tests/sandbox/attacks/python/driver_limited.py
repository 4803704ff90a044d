# tries: lowers the driver's limit of open files
# expect: Operation not permitted|PermissionError
import resource

resource.prlimit(1, resource.RLIMIT_NOFILE, (3, 3))
