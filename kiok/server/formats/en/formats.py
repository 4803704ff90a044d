"""Django takes a language's formats before those of the settings."""

DATETIME_FORMAT = "Y-m-d H:i:s T"
"""As kiok/times.js knows it, which shows it in the viewer's zone."""
