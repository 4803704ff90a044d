"""Notifications: channels, an outbox, and its sender.

An app emits an event with `outbox.put`, in the transaction of the state that it reports, and registers what is said about
it: `content.register`. The rows are an outbox: `sender` delivers each at least once, to webhooks (`webhook`) and by e-mail
(`mail`). Apps also register who may see the repositories (`visibility.restrict_to`) and the task queue
(`outbox.enqueue_with`), and are never imported from here. See docs/adr/0027-notifications.md.
"""
