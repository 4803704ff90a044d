"""Notifications: sent to channels when a repository fails and when it recovers.

The code that writes a repository's state records a transition in the same transaction (`transition`). The rows are an
outbox: `sender` delivers each at least once, to webhooks (`webhook`) and by e-mail (`mail`). See
docs/adr/0027-notifications.md.
"""
