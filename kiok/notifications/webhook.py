"""Delivery of notifications to a webhook: one POST to a checked address, with limits on time and size.

The users who may edit a channel choose where the service connects to. So it uses https, connects to no private address,
follows no redirect, and keeps only an excerpt of the response.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from kiok.cluster.conf import properties
from kiok.cluster.version import VERSION
from kiok.connections.redaction import redact
from kiok.notifications.content import NotificationContent, redacted_line
from kiok.notifications.destination import Destination, Proxy, parse_destination
from kiok.notifications.errors import DeliveryRefused, NotDelivered
from kiok.notifications.models import NotificationChannel
from kiok.notifications.template import render
from kiok.notifications.trust import trust

TIMEOUT_SECONDS = 10.0  # of the whole exchange, however slowly the response arrives
MAX_ANSWER_BYTES = 4096
MAX_EXCERPT = 200
ID_HEADER = "Kiok-Notice-Id"
SIGNATURE_HEADER = "Kiok-Signature-256"
PASSING = (408, 425, 429)  # the 4xx statuses that are transient


def send(channel: NotificationChannel, content: NotificationContent) -> str:
    """POST the rendered notification and return the response as text. Raise NotDelivered, or KiokError for settings."""
    secrets = channel.secret.properties() if channel.secret else {}
    destination = parse_destination(secrets.get("webhookUrl", "").strip() or channel.url, properties())
    body = render(channel.style, channel.template, content.values, content.files)
    status, reason, answer = _post(
        destination, body, _headers(destination, secrets, body, content.values["id"])
    )
    output = redacted_line(destination.without_target(redact(answer.decode("utf-8", "replace"))), MAX_EXCERPT)
    told = redacted_line(f"{status} {reason}: {output}" if output else f"{status} {reason}", 2 * MAX_EXCERPT)
    if 200 <= status < 300:
        return told
    if 300 <= status < 400:
        raise DeliveryRefused(
            f"{destination.shown} responded {told}. Redirects are not followed: enter the final URL"
        )
    if 400 <= status < 500 and status not in PASSING:
        raise DeliveryRefused(f"{destination.shown} responded {told}")
    raise NotDelivered(f"{destination.shown} responded {told}")


def _headers(
    destination: Destination, secrets: Mapping[str, str], body: bytes, notification_id: str
) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"kiok-git-sync/{VERSION}",
        "Connection": "close",
        ID_HEADER: notification_id,
    }
    if authorization := secrets.get("authorization", "").strip():
        _require_host(destination, secrets)
        if not (authorization.isascii() and authorization.isprintable()):
            raise NotDelivered(
                "the connection's 'authorization' is not a valid header value: write it on one line, in ASCII"
            )
        headers["Authorization"] = authorization
    if key := secrets.get("secret", "").strip():
        headers[SIGNATURE_HEADER] = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return headers


def _require_host(destination: Destination, secrets: Mapping[str, str]) -> None:
    """Raise NotDelivered if the connection lists `hosts` without this one, as for a repository's credential."""
    hosts = set(secrets.get("hosts", "").replace(",", " ").lower().split())
    server = destination.server
    if hosts and not {server.authority.lower(), server.authority_without_port.lower()} & hosts:
        raise NotDelivered(
            f"the connection's 'hosts' does not include {server.authority}, so its secrets are not sent there"
        )


def _post(destination: Destination, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
    """Return status, reason phrase and the start of the response. Raise NotDelivered, or NetError for a forbidden host."""
    where = destination.shown
    try:
        with _connected(destination) as connection:
            connection.request("POST", destination.target, body=body, headers=dict(headers))
            response = connection.getresponse()
            return response.status, response.reason, response.read(MAX_ANSWER_BYTES)
    except ssl.SSLCertVerificationError as exc:
        raise NotDelivered(
            f"the certificate of {where} could not be verified: {exc.verify_message}. Replace it, or add its certificate "
            "authority to kiok.gitsync.ssl.ca.info"
        ) from exc
    except TimeoutError as exc:
        raise NotDelivered(f"{where} did not respond within {TIMEOUT_SECONDS:g} s") from exc
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise NotDelivered(f"the request to {where} failed: {exc or type(exc).__name__}") from exc


@contextmanager
def _connected(destination: Destination) -> Iterator[http.client.HTTPConnection]:
    """Open a connection to one of the checked addresses, and shut it down when the time is up."""
    connection, opened = _connection(destination)
    out_of_time = threading.Event()

    def shut_down() -> None:
        out_of_time.set()
        with suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(TIMEOUT_SECONDS, shut_down)
    timer.daemon = True
    timer.start()
    try:
        if isinstance(opened, ssl.SSLSocket):
            opened.do_handshake()
        yield connection
    except (OSError, http.client.HTTPException, ValueError) as exc:
        if out_of_time.is_set():
            raise TimeoutError from exc
        raise
    finally:
        timer.cancel()
        connection.close()
        opened.close()


def _connection(destination: Destination) -> tuple[http.client.HTTPConnection, socket.socket]:
    """Return a connection and its socket before the TLS handshake, so that the time limit covers the handshake too."""
    server = destination.server
    where = (server.authority_without_port, server.port_or_default)
    proxy = destination.proxy
    addresses = destination.admit(resolve=None if proxy else socket.getaddrinfo)
    opened = _through(proxy, *where) if proxy else _open(addresses, server.port_or_default)
    if server.scheme != "https":
        connection = http.client.HTTPConnection(*where)
    else:
        context = trust()
        connection = http.client.HTTPSConnection(*where, context=context)
        opened = context.wrap_socket(opened, server_hostname=server.host, do_handshake_on_connect=False)
    connection.sock = opened
    return connection, opened


def _through(proxy: Proxy, host: str, port: int) -> socket.socket:
    """Return a socket to the host through the proxy, which resolves the name. Raise OSError."""
    tunnel = http.client.HTTPConnection(proxy.host, proxy.port, timeout=TIMEOUT_SECONDS)
    tunnel.set_tunnel(host, port, headers=dict(proxy.headers))
    tunnel.connect()
    opened: socket.socket = tunnel.sock
    return opened


def _open(addresses: tuple[str, ...], port: int) -> socket.socket:
    """Connect to the first address that accepts a connection. Raise the OSError of the last address."""
    failure: OSError = OSError("the host has no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=TIMEOUT_SECONDS / len(addresses))
        except OSError as exc:
            failure = exc
    raise failure
