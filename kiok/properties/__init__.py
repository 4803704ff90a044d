"""All properties of kiok by theme: name, type, default and description of each, and the class of their values.

A property `kiok.gitsync.interval.ms` is `KIOK_GITSYNC_INTERVAL_MS` in the environment and, in Python,
`settings.KIOK.gitsync_interval_ms`. kiok.server.properties has the table and reads the values.
Standard library only.
"""
