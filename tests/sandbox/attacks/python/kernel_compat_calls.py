# tries: uses the 32-bit system call interface, whose numbers a filter may not cover
# expect: ended by signal|Operation not permitted
import ctypes
import mmap
import os

if os.uname().machine != "x86_64":
    raise RuntimeError("Operation not permitted: this machine has no such door")
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# push rbx; mov eax, 359 (socket); mov ebx, 1; mov ecx, 1; xor edx, edx; int 0x80; pop rbx; ret
code.write(bytes.fromhex("53 b867010000 bb01000000 b901000000 31d2 cd80 5b c3"))
function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
got = function()
if got < 0:
    raise OSError(-got, os.strerror(-got))
