"""Webhooks: a git service says that something was pushed, and a sync is asked for at once.

A view takes the request, `receive` judges it: signed with the repository's secret, a push, of its ref, not seen before.
What is particular to a service is in a module of its own; `table` names them all. Nothing here asks a remote: the answer
is given when the request is in the queue.
"""
