"""Refused logins and tokens: counted, logged and limited (by django-axes). See docs/operate/access.md, "Logins"."""
