# tries: changes its root folder
# expect: Operation not permitted
import os

os.chroot("/tmp")
