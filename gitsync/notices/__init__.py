"""Notices: who is told when a repository fails and when it is well again.

A transition is recorded by whoever writes a repository's state, in the same transaction (`transition`); the rows are an
outbox that `sender` empties, at least once each, to webhooks (`webhook`) and by e-mail (`mail`). See
docs/adr/0027-notices.md.
"""
