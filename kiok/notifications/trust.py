"""Trusted certificate authorities for webhooks and the mail server."""

from __future__ import annotations

import ssl

from kiok.cluster.conf import properties


def trust() -> ssl.SSLContext:
    """Return a context that verifies host name and certificate, with `kiok.gitsync.ssl.ca.info` or the system's CAs.

    Raise OSError if that file cannot be read.
    """
    ca_info = properties().gitsync_ssl_ca_info
    return ssl.create_default_context(cafile=str(ca_info) if ca_info else None)
