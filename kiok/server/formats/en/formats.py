"""Formats for English; Django prefers a language's formats to those of the settings."""

# kiok/times.js parses this format, and shows the time in the viewer's time zone.
DATETIME_FORMAT = "Y-m-d H:i:s T"
