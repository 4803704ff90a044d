"""Whose certificates are believed, of webhooks and of the mail server."""

from __future__ import annotations

import ssl

from kiok.cluster.conf import properties


def trust() -> ssl.SSLContext:
    """Verifies name and certificate, by the authorities of `kiok.gitsync.ssl.ca.info` or the system's.

    Raises OSError where that file cannot be read.
    """
    ca_info = properties().gitsync_ssl_ca_info
    return ssl.create_default_context(cafile=str(ca_info) if ca_info else None)
