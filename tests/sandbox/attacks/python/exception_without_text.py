# tries: raises an error that fails when it is asked what it says
# expect: Mute


class Mute(BaseException):
    def __str__(self):
        raise SystemError

    __repr__ = __str__


raise Mute
