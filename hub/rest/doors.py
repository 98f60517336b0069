"""What stands beside the FHIR API: an endpoint for a POST of another format, without a web framework.

Whoever brings one hands the front door a `Beside`; hub.rest.beside opens it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.access import Access

Headers = Mapping[str, str]  # by lower-case name


@dataclass(frozen=True, slots=True)
class Reply:
    """`recorded`: the status that the audit keeps where the format tells a refusal in words of its own."""

    status: int
    mime: str
    body: bytes
    recorded: int = 0


@dataclass(frozen=True, slots=True)
class Beside:
    """`interaction` is the audit's word, `most` the largest body in bytes. `admits` sees who asks and the headers
    before the body is read; it and `serve` raise Problem."""

    path: str
    interaction: str
    most: int
    admits: Callable[[Access, Headers], None]
    serve: Callable[[Access, Headers, bytes], Reply]
