# tries: raises the limit of its own CPU time
# expect: not allowed to raise maximum limit|Operation not permitted
import resource

resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
