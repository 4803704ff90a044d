"""Steps of a sync, in order: probe, lease, fetch, discover, compile, plan, apply, finish.

`gitsync.sync.run.sync_repository` runs them; every trigger calls it.
"""
