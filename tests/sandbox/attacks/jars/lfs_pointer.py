# tries: is a pointer of Git LFS in the place of the jar
# expect: Git LFS pointer
# spares: nothing
def jar(classes):
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
