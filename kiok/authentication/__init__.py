"""Refused logins and tokens: counted, logged and limited. Limits are django-axes'; see docs/operators.md, "Logins"."""
