# tries: is a Git LFS pointer instead of a jar
# expect: Git LFS pointer
# spares: nothing
def jar(classes):
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
