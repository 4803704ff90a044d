"""Whose turn it is: the order in which syncs begin, and how many of them at once.

Who asks for a sync writes a row, a turn, and has the broker wake a worker. A worker that is woken does not do what the
task says, but the turn that is due: teams in rotation, what was asked for before what a look found, within the limits
on syncs at once. So no team waits behind another's five hundred, and a broker that loses its tasks loses no sync.

`tenant` says whose a repository is, `asking` writes turns, `taking` chooses, `waking` sends tasks. See
docs/adr/0023-turns.md.
"""
