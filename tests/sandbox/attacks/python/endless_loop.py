# tries: loops without end
# expect: not done within 2 s and was killed
# limit: 2
while True:
    pass
