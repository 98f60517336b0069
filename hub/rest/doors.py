"""What stands beside the FHIR API: an endpoint for another format, without a web framework.

Whoever brings one hands the front door a `Beside`; hub.rest.beside opens it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hub.audit.recorder import Recording

Headers = Mapping[str, str]  # by lower-case name


@dataclass(frozen=True, slots=True)
class Reply:
    """`recorded`: the status that the audit keeps where the format tells a refusal in words of its own. `headers`:
    more of them. `stream` is what leaves instead of `body`, piece by piece: it tells the recording of each before
    it leaves. `broken_off` is what a long one ends in where it ends early (hub.rest.streamed)."""

    status: int
    mime: str
    body: bytes
    recorded: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    stream: Callable[[Recording | None], Iterator[bytes]] | None = None
    broken_off: bytes = b""


@dataclass(frozen=True, slots=True)
class Beside:
    """`interaction` is the audit's word, `most` the largest body in bytes. `admits` sees who asks and the headers
    before the body is read; it and `serve` raise Problem. What `path` has between <> both get by its name.
    `in_pieces`: `serve` gets the body as an iterator of bytes, which raises Problem: nobody holds all of it."""

    path: str
    interaction: str
    most: int
    admits: Callable[..., None]  # Access, Headers, and the path's
    serve: Callable[..., Reply]  # Access, Headers, the body, and the path's
    method: str = "POST"
    in_pieces: bool = False
