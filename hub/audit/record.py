"""One interaction as the audit keeps it: who, what, when, from where, how it ended, and whose data left.

Rules: IHE BALP https://profiles.ihe.net/ITI/BALP/ says what an AuditEvent tells; hub.audit.balp writes it from
this. No content of a resource is in it. What a client asked (its query) is: that is what an auditor wants to know.
Written as a JSON array, so that it can be read without this program; `form` says which array."""

import msgspec

FORM = 1
LONGEST_QUERY = 16_384  # characters; a form may be as long as a body


class Release(msgspec.Struct, frozen=True, array_like=True):
    """What left about one patient: its address (hub.search.edges), the sensitivity labels of what left (a mask),
    and the ids of the Consents that it was released by. `own`: all of it is data that the reader brought itself."""

    patient: int
    labels: int = 0
    consents: tuple[str, ...] = ()
    own: bool = False


class Record(msgspec.Struct, frozen=True, array_like=True):
    """`at` is microseconds since 1970, `status` the HTTP status; `releases` one a patient whose data left or was
    written; `count` how many resources; `own` says that a member asked about itself. `type`, `id` and `version`
    are what was asked for, or what was written."""

    at: int
    interaction: str
    status: int
    type: str = ""
    id: str = ""
    version: int = 0
    method: str = ""
    query: str = ""
    client: str = ""
    user: str = ""
    role: str = ""
    reason: str = ""
    purposes: tuple[str, ...] = ()
    request: str = ""
    network: str = ""
    releases: tuple[Release, ...] = ()
    count: int = 0
    own: bool = False
    form: int = FORM

    @property
    def succeeded(self) -> bool:
        return self.status < 400


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def encoded(record: Record) -> bytes:
    return _encoder.encode(record)


def decoded(record: bytes) -> Record:
    """Raises msgspec.MsgspecError where these bytes are no record."""
    return _decoder.decode(record)


def query_text(path: str, query: str, form: str = "") -> str:
    """What was asked, as it was asked. A token that somebody put there is a secret, not a question."""
    text = "".join((path, f"?{query}" if query else "", f"\n\n{form}" if form else ""))
    return path if "access_token" in text else text[:LONGEST_QUERY]
