"""A certificate authority of the tests' own."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificates(state: Path, ca_file: Path, host: str = "localhost") -> tuple[Path, Path]:
    """An own authority in `ca_file` and a certificate it signed for that host: (certificate, key)."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])

    def build(
        name: x509.Name, key: ec.EllipticCurvePrivateKey, extend: Callable[..., x509.CertificateBuilder]
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
        )
        return extend(builder).sign(ca_key, hashes.SHA256())

    ca = build(
        ca_name,
        ca_key,
        lambda b: b.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True),
    )
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server = build(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]),
        key,
        lambda b: b.add_extension(x509.SubjectAlternativeName(names), critical=False),
    )
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    certificate_file, key_file = state / "server.pem", state / "server.key"
    certificate_file.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file
