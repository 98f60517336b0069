"""Certificates made for a test: an authority, and what it signs."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AN_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Papers:
    """A certificate with its key, as files and as the certificate itself."""

    cert: Path
    key: Path
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def thumbprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def replace_with(self, other: "Papers") -> None:
        """The other's files in place of these."""
        self.cert.write_bytes(other.cert.read_bytes())
        self.key.write_bytes(other.key.read_bytes())


class Authority:
    """Signs certificates; `cert` is its own, to be trusted."""

    def __init__(self, folder: Path, name: str):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _named(f"Invented Authority {name}")
        made = _begun(self._subject, self._subject, self._key.public_key())
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.cert = folder / f"{name}-ca.pem"
        signed = made.sign(self._key, hashes.SHA256())
        self.cert.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def sign(self, name: str, *hosts: str, ends: timedelta = AN_HOUR) -> Papers:
        """A certificate for these hosts (127.0.0.1 and localhost if none is named) that ends so long after now."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _begun(_named(name), self._subject, key.public_key(), ends)
        names = x509.SubjectAlternativeName([_alternative(host) for host in hosts or ("127.0.0.1", "localhost")])
        signed = made.add_extension(names, critical=False).sign(self._key, hashes.SHA256())
        papers = Papers(self._folder / f"{name}.pem", self._folder / f"{name}.key", signed)
        papers.cert.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        papers.key.write_bytes(pem)
        return papers


def trusting(authority: Authority, own: Papers | None = None) -> ssl.SSLContext:
    """A client's context."""
    found = ssl.create_default_context(cafile=authority.cert)
    if own:
        found.load_cert_chain(own.cert, own.key)
    return found


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, ends: timedelta = AN_HOUR
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, now + ends) - timedelta(minutes=5))
        .not_valid_after(now + ends)
    )
