"""Servers in urls that users enter: their strict syntax, and the check that they are no hosts of a private network.

Used for the urls of repositories and of webhooks. Standard library only.
"""
