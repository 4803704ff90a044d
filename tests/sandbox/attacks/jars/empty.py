# tries: is an empty file
# expect: no readable jar
# spares: nothing
def jar(classes):
    return b""
