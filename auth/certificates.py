"""Tokens bound to the certificate that a client shows in TLS.

Rules: RFC 8705 sections 3 and 3.1 (x5t#S256: base64url of the SHA-256 of the certificate's DER), RFC 9440 (the
header Client-Cert of a proxy that ends TLS). The web server does not hand on whose certificate a client showed, so
a proxy must: in the header HUB_CLIENT_CERT_HEADER, as RFC 9440 writes it or as percent-encoded PEM (nginx:
`$ssl_client_escaped_cert`). The header is believed from trusted proxies alone (HUB_TRUSTED_PROXIES).
The guard refuses a bound token whose certificate this does not name (auth.guard).
Refuses: a header from elsewhere, one that holds no certificate and one that holds two: all count as none.
"""

import base64
import binascii
import hashlib
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

from hub.rest.peers import Peers, networks
from hub.settings import Settings

MOST = 16 * 1024  # characters of a certificate


def thumbprint_of(environ: Mapping[str, Any], settings: Settings) -> str:
    """x5t#S256 of the certificate that the client of this request showed; empty where none is known."""
    name = settings.values.get("HUB_CLIENT_CERT_HEADER")
    if not name:
        return ""
    if not _peers(settings["HUB_TRUSTED_PROXIES"]).is_proxy(environ):
        return ""
    der = _der(environ.get(f"HTTP_{name.upper().replace('-', '_')}", ""))
    return x5t_s256(der) if der else ""


@cache
def _peers(proxies: tuple[str, ...]) -> Peers:
    return Peers(networks(proxies))


def x5t_s256(der: bytes) -> str:
    """The thumbprint as tokens and clients hold it."""
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def _der(sent: str) -> bytes:
    """The certificate in a header; empty where there is none. WSGI servers join repeated headers with a comma: two
    certificates are none."""
    if not sent or len(sent) > MOST or "," in sent:
        return b""
    try:
        if sent[0] == ":" == sent[-1] and len(sent) > 2:
            found = base64.b64decode(sent[1:-1], validate=True)
        else:
            found = ssl.PEM_cert_to_DER_cert(unquote(sent, errors="strict"))
    except (ValueError, binascii.Error):
        return b""
    return found if found[:1] == b"\x30" else b""  # a SEQUENCE
