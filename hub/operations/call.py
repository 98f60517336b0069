"""One call of an operation, without a web framework: who asks, about what, with which parameters; and a table row.

Rules: https://hl7.org/fhir/R4/operations.html
The engines come from above by value: the core neither validates by profiles nor knows terminology itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection

from hub import clock
from hub.access import Access
from hub.audit.recorder import Recording
from hub.bulk.desk import Desk
from hub.fhir import json
from hub.fhir.bundles import ID, etag
from hub.leaving import one
from hub.problems import Issue, Problem
from hub.search.query import Limits
from hub.sight import Sight
from hub.store import read
from hub.store.read import Stored
from hub.transactions import Transactions

Resource = dict[str, Any]
Pair = tuple[str, str]

# the operation's name and type, the URL's parameters, the body and the resource of an instance level call
Terminology = Callable[[str, str, Sequence[Pair], Resource | None, Resource | None], Resource]


class Validation(Protocol):
    """Validates by the base specification and by the profiles of loaded packages."""

    def validate(self, resource: Resource, profile: str | None) -> Sequence[Issue]:
        """All issues, also by the profiles that the resource claims."""

    def knows(self, profile: str) -> bool:
        """Whether it can validate by this profile."""


@dataclass(frozen=True, slots=True)
class Engines:
    """What the front door brings; an operation whose engine is not there is refused. Made at first use."""

    validation: Callable[[], Validation] | None = None
    terminology: Terminology | None = None
    terminology_capabilities: Callable[[], Resource] | None = None
    # by a client's id; None: there is no such client
    sight_of: Callable[[str], Sight | None] | None = None
    member_matches: int = 30  # of one client in a minute
    # of a clock's Task, at a moment: how it was counted (hub.referrals.explain)
    clocks: Callable[[Connection, Resource, datetime], Resource] | None = None
    bulk: Desk | None = None
    websocket_url: str = ""  # where $get-ws-binding-token sends its callers; empty: nowhere
    # who sends, the message, whether it waits for what becomes of it: the response, None where it is only kept
    messages: Callable[[Access, Resource, bool], Resource | None] | None = None


NO_ENGINES = Engines()


@dataclass(frozen=True, slots=True)
class Parameter:
    """An `in` parameter; `many` may be given several times and arrives as a list."""

    name: str
    type: str
    many: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """`level` is system, type, instance or version; `given` holds the parameters by name, `ignored` the names of
    those that lenient handling left out. `style` are the rendering parameters, for links;
    `released` gathers the versions that the answer tells of, for the audit."""

    connection: Connection
    transactions: Transactions
    access: Access
    base: str
    secret: bytes
    limits: Limits
    cursor_seconds: int
    now: clock.Clock
    engines: Engines
    operation: str
    level: str
    type: str = ""
    id: str = ""
    version: int | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    ignored: Sequence[str] = ()
    pairs: Sequence[Pair] = ()
    body: Resource | None = None
    if_match: int | None = None
    style: Sequence[Pair] = ()
    released: list[Stored] = field(default_factory=list)
    audit: Recording | None = None
    lenient: bool = False
    respond_async: bool = False  # Prefer: respond-async
    raw: bytes | None = None

    def stored(self) -> Stored:
        """The resource, or the version of it, that an instance level call is about. Raises Problem."""
        if not ID.match(self.id):
            raise Problem("value", "An id has 1 to 64 letters, digits, '-' and '.'", "id")
        if self.version is None:
            found = read.current(self.connection, self.access, self.type, self.id)
        else:
            found = read.version(self.connection, self.access, self.type, self.id, self.version)
        if found is None:
            raise Problem("not-found", "There is no such resource")
        if found.body is None:
            raise Problem("deleted", "The resource was deleted", headers={"ETag": etag(found.version)})
        left = one(self.connection, self.access, found, self.base)
        if left is None:
            raise Problem("not-found", "There is no such resource")
        self.released.append(left)
        return left

    def resource(self) -> Resource:
        """Its content."""
        return json.stored(self.stored().body or b"{}")


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer of an operation that goes on behind it (202): the URL that tells how far it is."""

    location: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Taken, and nothing to tell of it (202 without a body)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table. No `types`: every type. `affects` is true where it changes what is stored: then by POST
    only; `begins`: it leaves a job behind, which a Bundle and a HEAD do not. `parameters` is None where an engine
    reads them itself; `resource` names the parameter that a bare resource in the body is; `get_levels` are those
    where it can be called by GET; `takes` are the media types of bodies that are no resource (`Call.raw`)."""

    name: str
    definition: str
    levels: tuple[str, ...]
    serve: Callable[[Call], "bytes | Begun | Accepted"]
    types: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] | None = ()
    affects: bool = False
    resource: str = ""
    get_levels: tuple[str, ...] = ("system", "type", "instance", "version")
    begins: bool = False
    takes: tuple[str, ...] = ()
    status: int = 200

    def methods(self, level: str) -> tuple[str, ...]:
        if self.begins:
            return ("GET", "POST") if level in self.get_levels else ("POST",)
        return ("GET", "HEAD", "POST") if level in self.get_levels and not self.affects else ("POST",)

    def serves(self, level: str, resource_type: str) -> bool:
        return level in self.levels and (not self.types or not resource_type or resource_type in self.types)
