"""Sync queue: the order in which syncs start, and how many run at the same time.

A request for a sync writes a row, the queued sync, and has the broker notify a worker. The worker does not run the sync
that the task names, but the one that is due: tenants take turns, requested syncs come before those that a poll found,
within the concurrency limits. So no tenant waits behind five hundred syncs of another, and a broker that loses its tasks
loses no sync.

`tenant` returns the tenant of a repository, `enqueue` enqueues, `dequeue` claims, `dispatch` dispatches tasks. See
docs/adr/0023-fair-queue.md.
"""
