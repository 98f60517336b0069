"""What every answer says to browsers and caches, and who may try credentials at all.

Rules: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.5 (no-store), RFC 6797 (Strict-Transport-Security),
https://www.w3.org/TR/CSP3/, https://fetch.spec.whatwg.org/#x-content-type-options-header,
https://www.w3.org/TR/referrer-policy/. An answer holds a person's data wherever it is not the
CapabilityStatement or the discovery, so nothing on the way keeps it; a client that keeps what it read still
asks with its ETag (304).
A page that brings a policy of its own (a sign-in with its style) keeps it.
Refuses: POST under /auth/ from an address that sent too many wrong credentials (429, hub.rest.limits).
"""

from collections.abc import Mapping

from flask import Flask, Response, request

from hub.rest.limits import Throttle

HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
OPEN = ("/fhir/metadata", "/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration")
TWO_YEARS = "max-age=63072000"
CREDENTIALS = "/auth/"
WRONG = (400, 401, 403)


class Protection:
    def __init__(self, base: str, throttle: Throttle):
        self._headers = dict(HEADERS)
        if base[:8] == "https://":
            self._headers["Strict-Transport-Security"] = TWO_YEARS
        self._throttle = throttle

    def over(self, app: Flask) -> None:
        app.before_request(self._check)
        app.after_request(self._told)

    def _check(self) -> None:
        """Credentials are looked at after this: who guesses learns nothing more, not even whether it was right."""
        if request.method == "POST" and request.path.startswith(CREDENTIALS):
            self._throttle.check(request.environ)

    def _told(self, response: Response) -> Response:
        headers = response.headers
        if request.path in OPEN and response.status_code < 400:
            headers.setdefault("Cache-Control", "no-cache")
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        if response.status_code in WRONG and request.method == "POST" and request.path.startswith(CREDENTIALS):
            self._throttle.count(request.environ)
        return response
