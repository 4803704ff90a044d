"""Notifications: where they are sent, what they say, and why a delivery failed."""
