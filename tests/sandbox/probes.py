"""Programs that test the isolation layers from inside a child of a container, and answer which attempts were refused."""

from __future__ import annotations

# By name: the numbers on x86-64 and on 64-bit ARM.
FORBIDDEN_CALLS = {
    "accept4": (288, 242),
    "add_key": (248, 217),
    "bind": (49, 200),
    "bpf": (321, 280),
    "chown": (92, 55),
    "chroot": (161, 51),
    "clock_settime": (227, 112),
    "connect": (42, 203),
    "delete_module": (176, 106),
    "execveat": (322, 281),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsopen": (430, 430),
    "get_mempolicy": (239, 236),
    "inotify_init1": (294, 26),
    "io_setup": (206, 0),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "listen": (50, 201),
    "mbind": (237, 235),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "mlock": (149, 228),
    "modify_ldt": (154, 179),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "mq_open": (240, 180),
    "mq_timedsend": (242, 182),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "pkey_alloc": (330, 289),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "recvmsg": (47, 212),
    "request_key": (249, 218),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "seccomp": (317, 277),
    "semget": (64, 190),
    "sendmsg": (46, 211),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "setresuid": (117, 147),
    "shmat": (30, 196),
    "shmget": (29, 194),
    "socketpair": (53, 199),  # of family 0; AF_UNIX is tested below
    "splice": (275, 76),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "tee": (276, 77),
    "timer_create": (222, 107),
    "timerfd_create": (283, 85),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
    "vmsplice": (278, 75),
}
# AF_UNIX, INET, INET6, NETLINK, PACKET, ALG, VSOCK, XDP
SOCKET_FAMILIES = (1, 2, 10, 16, 17, 38, 40, 44)
NAMESPACES = {"ns": 0x20000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000}
NAMESPACES |= {"user": 0x10000000, "pid": 0x20000000, "net": 0x40000000}

# The helpers of every probe, and how it answers: `report` is the payload.
PROBE = """\
import ctypes, errno, fcntl, json, os, resource, signal, sys
ARM = os.uname().machine == 'aarch64'
libc = ctypes.CDLL(None, use_errno=True)

def number(call, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(call), *[ctypes.c_long(one) for one in arguments])
    return ctypes.get_errno() if result < 0 else 0

def tried(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return error.errno
    return 0

def answer(report):
    os.write(3, json.dumps(report).encode())
    os._exit(0)
"""

CALLS_PROBE = f"""{PROBE}
calls = {FORBIDDEN_CALLS}
# Not PTRACE_TRACEME (0), which would stop this process at its next signal, but PTRACE_ATTACH.
first = {{'ptrace': 16}}
report = {{name: number(both[ARM], first.get(name, 0), *[0] * 5) for name, both in calls.items()}}
report |= {{f'socket {{family}}': number(198 if ARM else 41, family, 2, 0) for family in {SOCKET_FAMILIES}}}
clone = 220 if ARM else 56
for name, flag in {NAMESPACES}.items():
    made = libc.syscall(ctypes.c_long(clone), ctypes.c_long(flag | signal.SIGCHLD), None, None, None, None)
    if made == 0:
        os._exit(0)
    report[f'clone {{name}}'] = ctypes.get_errno() if made < 0 else 0
answer(report)
"""

FILES_PROBE = f"""{PROBE}
sibling = '/src/b.py'
os.makedirs('/tmp/own')
open('/tmp/own/file', 'w').write('x')
report = {{
    'read': tried(lambda: open(sibling).read()),
    'write': tried(open, sibling, 'w'),
    'append': tried(open, sibling, 'a'),
    'truncate': tried(os.truncate, sibling, 0),
    'rename': tried(os.rename, sibling, '/src/moved.py'),
    'rename into': tried(os.rename, '/tmp/own/file', sibling),
    'exchange': tried(os.replace, '/src/a.py', sibling),
    'unlink': tried(os.unlink, sibling),
    'link': tried(os.link, '/src/a.py', '/src/linked.py'),
    'link out': tried(os.link, sibling, '/tmp/linked.py'),
    'symlink': tried(os.symlink, '/tmp/x', '/src/link'),
    'make': tried(os.open, '/src/new.py', os.O_CREAT | os.O_WRONLY),
    'mkdir': tried(os.mkdir, '/src/new'),
    'mkfifo': tried(os.mkfifo, '/src/fifo'),
    'rmdir': tried(os.rmdir, '/src/folder'),
    'chmod': tried(os.chmod, sibling, 0),
    'fchmod': tried(os.fchmod, os.open(sibling, os.O_RDONLY), 0),
    'fchmodat2': number(452, -100, ctypes.cast(b'/src/b.py', ctypes.c_void_p).value, 0, 0),
    'chmod of the folder': tried(os.chmod, '/src', 0),
    'utime': tried(os.utime, sibling, (0, 0)),
    'setxattr': tried(os.setxattr, sibling, 'user.x', b'x'),
    'memory of another': tried(open, '/proc/1/mem', 'r+b'),
    'own oom_score_adj': tried(open, '/proc/self/oom_score_adj', 'w'),
    'terminal': tried(open, '/dev/ptmx', 'r+b'),
    'queue': tried(os.open, '/dev/mqueue/x', os.O_CREAT | os.O_RDWR),
    'root': tried(os.mkdir, '/x'),
    'device folder': tried(os.mkdir, '/dev/x'),
    'a device': tried(os.mknod, '/tmp/null', 0o020600, os.makedev(1, 3)),
    'a socket': tried(os.mknod, '/tmp/socket', 0o140600),
    'a program of its own': None,
}}
os.close(os.open('/tmp/program', os.O_CREAT | os.O_WRONLY, 0o700))
report['a program of its own'] = tried(os.execv, '/tmp/program', ['x'])
report['sys'] = [name for name in os.listdir('/sys') if name != 'fs' and os.listdir('/sys/' + name)]
report['cgroups'] = sorted({{line.strip().split(':', 2)[2] for line in open('/proc/self/cgroup')}})
report['interrupts'] = open('/proc/interrupts').read()
answer(report)
"""

PERMITTED_PROBE = f"""{PROBE}
import asyncio, shutil, subprocess, tempfile, threading
with tempfile.TemporaryDirectory() as folder:
    with open(folder + '/a', 'w') as file:
        file.write('a')
    shutil.copyfile(folder + '/a', folder + '/b')
    os.rename(folder + '/b', folder + '/c')
    os.mkdir(folder + '/sub')
    os.rename(folder + '/c', folder + '/sub/c')
    os.symlink('c', folder + '/sub/link')
    os.mkfifo(folder + '/fifo')
    os.truncate(folder + '/sub/c', 0)
print('said', file=open('/dev/null', 'w'))
thread = threading.Thread(target=lambda: None)
thread.start(); thread.join()
asyncio.run(asyncio.to_thread(lambda: None))
assert subprocess.run(['/bin/true'], check=True).returncode == 0
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
reader, writer = os.pipe()
os.set_inheritable(reader, True)
asleep = os.fork()
if not asleep:
    signal.pause()
os.kill(asleep, signal.SIGKILL)
os.waitpid(asleep, 0)
answer({{
    'oom_score_adj': open('/proc/self/oom_score_adj').read().strip(),
    'limits': {{
        'core': resource.getrlimit(resource.RLIMIT_CORE)[1],
        'file size': resource.getrlimit(resource.RLIMIT_FSIZE)[1],
        'data': resource.getrlimit(resource.RLIMIT_DATA)[1],
        'cpu': resource.getrlimit(resource.RLIMIT_CPU)[1],
    }},
    'the driver\\'s limits': tried(resource.prlimit, 1, resource.RLIMIT_NOFILE, (1, 1)),
    'sending the terminal a character': tried(fcntl.ioctl, 0, 0x5412, b'x'),
    'clone3': number(435, 0, 0),
    'undumpable': tried(open, '/proc/1/environ'),
    'landlock': libc.syscall(ctypes.c_long(444), None, ctypes.c_long(0), ctypes.c_long(1)),
    'signal to the driver': tried(os.kill, 1, signal.SIGTERM),
    'status': open('/proc/self/status').read(),
}})
"""
