"""The pages of this wing: HTML made here, without scripts, with headers that let a browser do nothing else.

Rules: OWASP ASVS 3.4 (headers) and 1.2 (what a template writes is escaped); WCAG 2.2 (each field has its label)
Refuses: frames, scripts, anything from elsewhere; forms lead to this hub and to `targets`, which must be origins or
schemes. Nothing is kept by browsers or proxies, and no address is told to where a link leads.
"""

from collections.abc import Iterable
from functools import cache

from flask import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

STYLE_PATH = "/auth/style.css"
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
HEADERS = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("auth"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(name: str, status: int = 200, targets: Iterable[str] = (), **values: object) -> Response:
    """A page from its template. `targets`: where its forms may lead besides here, by way of a redirect."""
    return secured(Response(_templates().get_template(f"{name}.html").render(values), status), targets)


def redirect(address: str, targets: Iterable[str] = ()) -> Response:
    """Send the browser on, with GET. The address is the caller's: checked, or made here."""
    return secured(Response(status=303, headers={"Location": address}), targets)


def secured(response: Response, targets: Iterable[str] = ()) -> Response:
    """The same response with the headers of all pages."""
    response.headers.update(HEADERS)
    response.headers["Content-Security-Policy"] = " ".join((POLICY, *targets))
    return response


@cache
def style() -> str:
    """The style sheet."""
    return _templates().get_template("style.css").render()
