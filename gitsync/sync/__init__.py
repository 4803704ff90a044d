"""The ordered steps of a sync: probe, claim, fetch, discover, compile, plan, apply, finish.

`gitsync.sync.run.sync_repository` walks them; every trigger ends there.
"""
