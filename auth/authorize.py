"""What an app asks at /auth/authorize: read strictly; some errors may be answered by a redirect, others never.

Rules: RFC 6749 sections 3.1 and 4.1.1, RFC 7636 (S256 only), RFC 9207 (`iss` in the answer), RFC 9700 section 2.1
(redirect addresses are compared whole); SMART App Launch 2.2,
https://hl7.org/fhir/smart-app-launch/app-launch.html#obtain-authorization-code
Refuses with a page (PageError): an unknown or disabled client, a redirect_uri that is not registered letter by
letter, or has a fragment or a user. With a redirect (RedirectError): everything else, always with `state`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from auth import scopes as smart
from auth.authorization_codes import CHALLENGE
from auth.client_words import AUTHORIZATION_CODE, Client
from auth.scopes import Scopes

MAX_BYTES = 16 * 1024
MAX_PARAMETERS = 40
MAX_VALUE = 8192
PROMPTS = frozenset(("none", "login", "consent", "select_account"))
SIGN_IN_AGAIN = frozenset(("login", "select_account"))

Pairs = Sequence[tuple[str, str]]
Find = Callable[[str], Client | None]
_STATE = re.compile(r"[\x20-\x7e]{1,2048}")
_SECONDS = re.compile(r"[0-9]{1,9}")


class PageError(Exception):
    """Nobody is redirected: there is no address that could be trusted. The text is for the person."""


class RedirectError(Exception):
    """The app is told, at its own address. `error` is a code of RFC 6749, OpenID Connect Core 3.1.2.6."""

    def __init__(self, error: str, description: str, redirect_uri: str = "", state: str = ""):
        super().__init__(error, description)
        self.error = error
        self.description = description
        self.redirect_uri = redirect_uri
        self.state = state

    def told(self) -> dict[str, str]:
        return {"error": self.error, "error_description": self.description}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a code that may be put before a person. `scopes` are registered for the client, `scope_text` is
    what it asked for. `launch`: the value an EHR gave; `max_age`: how old a sign-in may be (seconds)."""

    client: Client
    redirect_uri: str
    scopes: Scopes
    scope_text: str
    state: str
    challenge: str
    nonce: str = ""
    launch: str = ""
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None

    @property
    def words(self) -> frozenset[str]:
        return smart.words(self.scopes)

    @property
    def needs_patient(self) -> bool:
        """Whether the token is about one patient."""
        return "launch/patient" in self.words or smart.PATIENT in smart.contexts(self.scopes)

    @property
    def target(self) -> str:
        """What a page's form may lead to, as a Content-Security-Policy names it."""
        return source_of(self.redirect_uri)

    def refused(self, error: str, description: str) -> RedirectError:
        return RedirectError(error, description, self.redirect_uri, self.state)


def pairs_of(text: str) -> Pairs:
    """The parameters of a query or form. Raises PageError."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise PageError("The request cannot be read.") from None
    if len(text) > MAX_BYTES or any(len(value) > MAX_VALUE for _, value in pairs):
        raise PageError("The request is too long.")
    return pairs


def after_sign_in(pairs: Pairs) -> str:
    """The query of the same request, for somebody who signed in for it."""
    left = [(name, _without_sign_in(value) if name == "prompt" else value) for name, value in pairs]
    return urlencode([pair for pair in left if pair[1]])


def _without_sign_in(prompt: str) -> str:
    return " ".join(word for word in prompt.split() if word not in SIGN_IN_AGAIN)


def read(pairs: Pairs, find: Find, fhir_base: str, now: datetime) -> Asked:
    """The request in the parameters. Raises PageError, RedirectError."""
    client, redirect_uri = _addressee(pairs, find, now)
    given = {name: value for name, value in pairs if value}  # an empty value is none: RFC 6749 section 3.1
    state = given.get("state", "")
    try:
        return _asked(client, redirect_uri, given, pairs, fhir_base)
    except RedirectError as error:
        error.redirect_uri = redirect_uri
        error.state = state if _STATE.fullmatch(state) else ""
        raise


def _addressee(pairs: Pairs, find: Find, now: datetime) -> tuple[Client, str]:
    ids = [value for name, value in pairs if name == "client_id"]
    uris = [value for name, value in pairs if name == "redirect_uri"]
    client = find(ids[0]) if len(ids) == 1 else None
    if client is None or not client.usable(now):
        raise PageError("The app that sent you here is not known to this hub.")
    if len(uris) != 1 or uris[0] not in client.redirect_uris or not is_plain(uris[0]):
        raise PageError("The app that sent you here gave an address that is not registered for it.")
    return client, uris[0]


def is_plain(uri: str) -> bool:
    """Without a fragment, a user, white space, or steps upwards."""
    try:
        parts = urlsplit(uri)
        extras = parts.username is not None or "#" in uri or ".." in parts.path.split("/")
    except ValueError:
        return False
    return (
        bool(parts.scheme) and not extras and uri.isascii() and uri.isprintable() and not set(' \\"<>') & set(uri)
    )


# error, what is wrong, whether it is right; in this order
Rule = tuple[str, str, Callable[[Mapping[str, str], str], bool]]
RULES: tuple[Rule, ...] = (
    ("invalid_request", "state is required: 1 to 2048 visible characters", lambda g, _: _is(_STATE, g, "state")),
    ("request_not_supported", "request is not supported", lambda g, _: "request" not in g),
    ("request_uri_not_supported", "request_uri is not supported", lambda g, _: "request_uri" not in g),
    ("invalid_request", "response_type is required", lambda g, _: "response_type" in g),
    ("unsupported_response_type", "response_type is code", lambda g, _: g["response_type"] == "code"),
    ("invalid_request", "response_mode is query", lambda g, _: g.get("response_mode", "query") == "query"),
    ("invalid_request", "code_challenge_method is S256", lambda g, _: g.get("code_challenge_method") == "S256"),
    (
        "invalid_request",
        "code_challenge is required: 43 characters of base64url",
        lambda g, _: _is(CHALLENGE, g, "code_challenge"),
    ),
    (
        "invalid_request",
        "nonce is 1 to 2048 visible characters",
        lambda g, _: _is(_STATE, {"nonce": "-", **g}, "nonce"),
    ),
    ("invalid_request", "aud is required: the FHIR base of this hub", lambda g, base: _is_here(g, base)),
    ("invalid_request", "prompt is not understood", lambda g, _: _prompts(g) <= PROMPTS),
    (
        "invalid_request",
        "prompt none stands alone",
        lambda g, _: "none" not in _prompts(g) - {g.get("prompt")},
    ),
    (
        "invalid_request",
        "max_age is a number of seconds",
        lambda g, _: _is(_SECONDS, {"max_age": "0", **g}, "max_age"),
    ),
)


def _is(pattern: re.Pattern[str], given: Mapping[str, str], name: str) -> bool:
    return pattern.fullmatch(given.get(name, "")) is not None


def _is_here(given: Mapping[str, str], base: str) -> bool:
    """SMART: a token for another server must not be asked for here. A slash at the end makes no other server."""
    return given.get("aud") in (base, f"{base}/")


def _prompts(given: Mapping[str, str]) -> frozenset[str]:
    return frozenset(given.get("prompt", "").split())


def _asked(client: Client, redirect_uri: str, given: Mapping[str, str], pairs: Pairs, base: str) -> Asked:
    if len({name for name, _ in pairs}) != len(pairs):
        raise RedirectError("invalid_request", "A parameter is sent twice")
    for error, description, holds in RULES:
        if not holds(given, base):
            raise RedirectError(error, description)
    if AUTHORIZATION_CODE not in client.grant_types:
        raise RedirectError("unauthorized_client", "The client is not registered for authorization codes")
    scopes = _scopes(client, given.get("scope", ""))
    _require_launch(smart.words(scopes), given.get("launch", ""))
    return Asked(
        client,
        redirect_uri,
        scopes,
        given["scope"],
        given["state"],
        given["code_challenge"],
        given.get("nonce", ""),
        given.get("launch", ""),
        _prompts(given),
        int(given["max_age"]) if "max_age" in given else None,
    )


def _scopes(client: Client, text: str) -> Scopes:
    try:
        return smart.granted(smart.for_person(text), smart.parse(client.scopes))
    except smart.ScopeError as error:
        raise RedirectError("invalid_scope", str(error)) from None


def _require_launch(words: frozenset[str], launch: str) -> None:
    if "launch" in words and not launch:
        raise RedirectError("invalid_request", "The scope launch needs the launch value of an EHR")
    if launch and "launch" not in words:
        raise RedirectError("invalid_scope", "A launch value needs the scope launch")


def source_of(uri: str) -> str:
    """The origin of an address, or its scheme where it is an app's own."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def answer(redirect_uri: str, **parameters: str) -> str:
    """The address a browser is sent to: the app's own, with what it is told."""
    told = urlencode({name: value for name, value in parameters.items() if value})
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{told}"
