# tries: calls itself without end
# expect: RecursionError


def again():
    return again()


again()
