"""State that the processes of one installation share: names, leases, heartbeats, the leader and its periodic jobs.

Apps register their work here and are never imported from here: `periodic.register` for periodic jobs, `leader.register`
for what the leader does at every tick.
"""
