# tries: leaves a secret in the kernel's key ring, which outlives the container
# expect: Operation not permitted
from _kernel import call

KEY_SPEC_USER_KEYRING = -4
call("add_key", b"user", b"left", b"behind", 6, KEY_SPEC_USER_KEYRING)
