# tries: runs a regular expression that takes longer than the age of the universe, in C, where no signal handler runs
# expect: not done within 2 s and was killed
# limit: 2
import re

re.match(r"(a+)+$", "a" * 64 + "b")
