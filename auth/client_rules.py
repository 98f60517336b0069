"""What a client must be to be registered, as a table of rules.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/app-launch.html#register-app-with-ehr (redirect
addresses are fixed, and compared whole); https://hl7.org/fhir/smart-app-launch/backend-services.html (backends have
keys, never a shared secret); RFC 8252 sections 7 and 8 and RFC 9700 section 2.1 for redirect addresses
Refuses: each row of RULES with its sentence for the operator.
"""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from auth import scopes as smart
from auth.client_words import (
    ASYMMETRIC,
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    CLIENT_ID,
    GRANT_TYPES,
    KINDS,
    PUBLIC,
    REFRESH_TOKEN,
    SYMMETRIC,
    Client,
)
from auth.roles import ROLES
from hub.sight import PURPOSES

LOOPBACK = frozenset(("127.0.0.1", "[::1]", "localhost"))
MAX_ADDRESSES = 20
MAX_NAME = 200

_ORGANIZATION = re.compile(r"Organization/[A-Za-z0-9.-]{1,64}")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_PRIVATE_USE = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")  # a domain of the app's own, turned round
_HOST = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9._-]+")  # nothing that means more in a Content-Security-Policy
_NOT_IN_A_URI = frozenset(' "<>\\^`{|}*')


def allowed_redirect(address: str, kind: str) -> bool:
    """https; http to this machine itself, for apps on it; a scheme of its own for a public one. Nothing else."""
    try:
        parts = urlsplit(address)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else (parts.hostname or "")
        extras = parts.username is not None or parts.password is not None or "#" in address or parts.port == 0
    except ValueError:
        return False
    plain = address.isascii() and address.isprintable() and not _NOT_IN_A_URI & set(address)
    if not plain or extras or {".", ".."} & set(parts.path.split("/")):
        return False
    if parts.scheme in ("https", "http"):
        return bool(_HOST.fullmatch(host)) and (parts.scheme == "https" or host in LOOPBACK)
    return kind == PUBLIC and bool(_PRIVATE_USE.fullmatch(parts.scheme)) and not parts.netloc


def _contexts(client: Client) -> frozenset[str]:
    return smart.contexts(smart.parse(client.scopes)) if client.scopes else frozenset()


def _words(client: Client) -> frozenset[str]:
    return smart.words(smart.parse(client.scopes)) if client.scopes else frozenset()


def _has(client: Client, grant_type: str) -> bool:
    return grant_type in client.grant_types


def _has_keys(client: Client) -> bool:
    return client.jwks is not None or client.jwks_url is not None


def _scopes_of_persons(client: Client) -> bool:
    return bool(_contexts(client) - {smart.SYSTEM} or _words(client))


RULES: tuple[tuple[str, Callable[[Client], bool]], ...] = (
    ("A client id is 1 to 128 letters, digits or . _ ~ -", lambda c: bool(CLIENT_ID.fullmatch(c.id))),
    (
        "A name is 1 to 200 visible characters: people read it when they are asked to allow the client",
        lambda c: bool(c.name.strip()) and len(c.name) <= MAX_NAME and c.name.isprintable(),
    ),
    (f"There is no role of this name; roles are {', '.join(ROLES)}", lambda c: c.role in ROLES),
    (f"A client is one of {', '.join(KINDS)}", lambda c: c.kind in KINDS),
    (f"Grant types are {', '.join(GRANT_TYPES)}", lambda c: set(c.grant_types) <= set(GRANT_TYPES)),
    (
        "An organization is a reference such as Organization/harbor",
        lambda c: not c.organization or bool(_ORGANIZATION.fullmatch(c.organization)),
    ),
    (f"Purposes of use are {', '.join(PURPOSES)}", lambda c: set(c.purposes) <= set(PURPOSES)),
    (
        "A certificate is named by its SHA-256 in base64url (x5t#S256)",
        lambda c: not c.certificate or bool(_THUMBPRINT.fullmatch(c.certificate)),
    ),
    (
        "client_credentials is for clients with keys: confidential-asymmetric",
        lambda c: c.kind == ASYMMETRIC or not _has(c, CLIENT_CREDENTIALS),
    ),
    (
        "A client with scopes needs public keys: a JWK Set or its https address",
        lambda c: c.kind != ASYMMETRIC or not c.scopes or _has_keys(c),
    ),
    ("A client without keys of its own has no JWK Set", lambda c: c.kind == ASYMMETRIC or not _has_keys(c)),
    ("A symmetric client, and no other, has a secret", lambda c: (c.kind == SYMMETRIC) == bool(c.secret_hash)),
    ("A resource server proves itself: it is confidential", lambda c: not (c.resource_server and c.kind == PUBLIC)),
    ("system/ scopes are for client_credentials", lambda c: smart.SYSTEM not in _contexts(c) or _is_backend(c)),
    (
        "These scopes are not for a backend service: they need the grant type authorization_code",
        lambda c: not _scopes_of_persons(c) or _has(c, AUTHORIZATION_CODE),
    ),
    (
        "refresh_token goes with authorization_code",
        lambda c: not _has(c, REFRESH_TOKEN) or _has(c, AUTHORIZATION_CODE),
    ),
    (
        "A redirect address goes with authorization_code, and authorization_code with a redirect address",
        lambda c: bool(c.redirect_uris) == _has(c, AUTHORIZATION_CODE),
    ),
    (
        "A redirect address is https without user or fragment (http on the app's own machine; a public app may "
        "have a scheme of its own)",
        lambda c: (
            len(c.redirect_uris) <= MAX_ADDRESSES and all(allowed_redirect(uri, c.kind) for uri in c.redirect_uris)
        ),
    ),
    (
        "A launch address is https without user or fragment (http on the app's own machine)",
        lambda c: not c.launch_uri or allowed_redirect(c.launch_uri, ASYMMETRIC),
    ),
)


def _is_backend(client: Client) -> bool:
    return _has(client, CLIENT_CREDENTIALS)


def fault(client: Client) -> str:
    """The first rule that a client breaks, as a sentence; nothing where it breaks none."""
    return next((sentence for sentence, holds in RULES if not holds(client)), "")
