# tries: is text with the file extension of a jar
# expect: no readable jar
# spares: nothing
def jar(classes):
    return b"this is not a jar\n"
