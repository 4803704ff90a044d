# tries: raises an error whose conversion to text fails
# expect: Mute


class Mute(BaseException):
    def __str__(self):
        raise SystemError

    __repr__ = __str__


raise Mute
