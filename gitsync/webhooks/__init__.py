"""Webhooks: a git service reports a push, and a sync is requested immediately.

A view accepts the request. `receive` requests a sync if the delivery is signed with the repository's secret, reports a
push of the repository's ref, and is not a replay. Each git service has a class in `gitsync.git_services`. No remote is
contacted: the response is sent as soon as the sync is queued.
"""
