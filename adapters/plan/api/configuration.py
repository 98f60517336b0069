"""Where the plan's API is, and who we are there: from HUB_PLAN_API_* to a PlanApi, or a reason not to start.

Rules: docs/plan-api.md; RFC 7523 (private_key_jwt), keys for RS384 and ES384 only. No plan publishes its API: paths
and token URL are configuration.
Refuses (CannotStart): http to anything but this machine, half a configuration, paths without their place, keys that
are none.
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from hub.fhir import json
from hub.notifications.addresses import PORTS, URL
from hub.notifications.connections import Route
from hub.problems import CannotStart, Problem
from hub.settings import Settings

LOOPBACK = frozenset(("127.0.0.1", "[::1]", "localhost"))
PLACES = ("referral", "decision", "CarePlan", "Task")  # of HUB_PLAN_API_PATHS
WITHOUT_ID = frozenset(("referral",))
LEAST_RSA_BITS = 2048
MOST_SECONDS = 20
Key = RSAKey | ECKey


@dataclass(frozen=True, slots=True)
class PlanApi:
    """`client` is the hub's client id at the plan, `sees` the plan's client id at the hub: what that may see may
    go to the plan. `organization` is the plan as the hub knows it, `system` names its numbers of referrals."""

    url: str
    token_url: str
    client: str
    key: Key = field(repr=False)
    algorithm: str
    scopes: str
    paths: Mapping[str, str]
    route: Route
    seconds: float
    organization: str
    sees: str
    system: str

    def place(self, name: str, number: str = "") -> str:
        return self.url + self.paths[name].replace("{id}", number)


def plan_api(settings: Settings) -> PlanApi | None:
    """None where no plan is configured. Raises CannotStart."""
    url = str(settings["HUB_PLAN_API_URL"]).rstrip("/")
    if not url:
        return None
    missing = [name for name in ("TOKEN_URL", "CLIENT", "KEY", "ORGANIZATION", "SEES") if not settings[_name(name)]]
    if missing:
        raise CannotStart(f"HUB_PLAN_API_URL needs {', '.join(map(_name, missing))}")
    if settings[_name("SECONDS")] > MOST_SECONDS:
        raise CannotStart(f"HUB_PLAN_API_SECONDS: at most {MOST_SECONDS}, the worker's lease is no longer")
    token_url = settings[_name("TOKEN_URL")]
    key, algorithm = _key(Path(settings[_name("KEY")]))
    allowed = tuple(_host(name, each) for name, each in (("URL", url), ("TOKEN_URL", token_url)))
    return PlanApi(
        url,
        token_url,
        settings[_name("CLIENT")],
        key,
        algorithm,
        settings[_name("SCOPES")],
        _paths(settings[_name("PATHS")]),
        Route(allowed, verify=settings[_name("CA")] or True),
        settings[_name("SECONDS")],
        settings[_name("ORGANIZATION")],
        settings[_name("SEES")],
        f"{url}/referral",
    )


def _name(short: str) -> str:
    return f"HUB_PLAN_API_{short}"


def _host(name: str, url: str) -> str:
    """The `host:port` that may be called, whatever address it has. Raises CannotStart."""
    found = URL.fullmatch(url)
    parts = urlsplit(url)
    if found is None or parts.query:
        raise CannotStart(f"{_name(name)} is not a plain absolute URL")
    if found["scheme"] != "https" and found["host"].lower() not in LOOPBACK:
        raise CannotStart(f"{_name(name)}: https, but for this machine itself")
    return f"{found['host'].lower()}:{found['port'] or PORTS[found['scheme']]}"


def _paths(said: Mapping[str, str]) -> Mapping[str, str]:
    for name in PLACES:
        path = said.get(name, "")
        if not path.startswith("/") or (name not in WITHOUT_ID and path.count("{id}") != 1):
            raise CannotStart(f"HUB_PLAN_API_PATHS: {name} is a path, with one {{id}} but for referral")
    return said


def _key(path: Path) -> tuple[Key, str]:
    """A private JWK and its algorithm. Raises CannotStart."""
    try:
        if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise CannotStart("HUB_PLAN_API_KEY: the file can be read by everybody; use mode 600")
        found: Any = json.read(path.read_bytes())
        key: Key = RSAKey.import_key(found) if found.get("kty") == "RSA" else ECKey.import_key(found)
        if key.is_private and found.get("kid"):
            return key, _algorithm(key, found)
    except (OSError, ValueError, TypeError, JoseError, Problem):
        pass
    raise CannotStart("HUB_PLAN_API_KEY: a file with a private JWK, RSA of 2048 bits or EC P-384, with a kid")


def _algorithm(key: Key, said: Mapping[str, Any]) -> str:
    """Raises ValueError."""
    if isinstance(key, RSAKey) and key.public_key.key_size >= LEAST_RSA_BITS:
        return "RS384"
    if isinstance(key, ECKey) and said.get("crv") == "P-384":
        return "ES384"
    raise ValueError
