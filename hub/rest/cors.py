"""Cross-origin requests: web pages of the origins that HUB_CORS_ORIGINS lists may use the API; those of any origin
may read what it can do.

Rules: https://fetch.spec.whatwg.org/#http-cors-protocol, https://hl7.org/fhir/R4/security.html#cors;
https://hl7.org/fhir/smart-app-launch/app-launch.html (any origin may read `metadata`)
Refuses: every origin that is not listed (it gets no CORS header, and its browser keeps the answer from it). `*`
counts only where it is listed itself. Credentials are never allowed: a page sends a bearer token, not a cookie.
"""

from collections.abc import Mapping
from typing import Any

EXPOSED = ("ETag", "Location", "Content-Location", "Last-Modified", "X-Request-Id")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
OPEN = frozenset(("/fhir/metadata",))
SECONDS = 600  # a preflight's answer may be remembered


class Cors:
    """What is said to which origin."""

    def __init__(self, origins: tuple[str, ...]):
        self._origins = frozenset(origin.rstrip("/") for origin in origins)
        self.all = "*" in self._origins
        self.varies = bool(origins) and not self.all

    def headers(self, environ: Mapping[str, Any]) -> dict[str, str]:
        """Headers of an answer to this request; none where its origin is not listed or it names none."""
        origin: str = environ.get("HTTP_ORIGIN", "")
        everyone = self.all or environ.get("PATH_INFO") in OPEN
        if not origin or not (everyone or origin in self._origins):
            return {}
        return {
            "Access-Control-Allow-Origin": "*" if everyone else origin,
            "Access-Control-Expose-Headers": ", ".join(EXPOSED),
        }

    def preflight(self, environ: Mapping[str, Any]) -> dict[str, str]:
        """The answer to a preflight, which has no token; none where this is no preflight of a listed origin."""
        if environ["REQUEST_METHOD"] != "OPTIONS" or "HTTP_ACCESS_CONTROL_REQUEST_METHOD" not in environ:
            return {}
        allowed = self.headers(environ)
        if allowed:
            allowed["Access-Control-Allow-Methods"] = ", ".join(METHODS)
            # a bearer token is named by the client: `*` does not cover Authorization
            wanted = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
            allowed["Access-Control-Allow-Headers"] = wanted[:1024]
            allowed["Access-Control-Max-Age"] = str(SECONDS)
        return allowed
