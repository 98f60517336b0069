"""A record as FHIR AuditEvents, as IHE BALP 1.1.4 writes them: one a patient; one more a disclosure under Part 2.

Rules: https://profiles.ihe.net/ITI/BALP/content.html and its StructureDefinitions (roles and codes of agents
differ by profile: AGENTS), https://hl7.org/fhir/R4/auditevent.html, 42 CFR 2.24 and 2.25 (what an accounting
tells). Ids are `<number>-<place>`; a disclosure's ends in `-d`. What was refused claims no profile: BALP has them
for success."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub import clock
from hub.audit.interactions import (
    DICOM,
    DISCLOSURE,
    KINDS,
    QUERY,
    SECURITY_ALERT,
    TOKEN_GIVEN,
    USER_AUTHENTICATION,
    Kind,
    outcome,
    system_of,
)
from hub.audit.record import Record, Release
from hub.audit.store import discloses_part_2
from hub.fhir.bundles import ID
from hub.rights.labels import codings_of

Resource = dict[str, Any]
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
EVENT = "http://terminology.hl7.org/CodeSystem/audit-event-type"
LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
PROVENANCE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
REQUEST = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
REST = {"system": EVENT, "code": "rest", "display": "RESTful Operation"}
TYPES: Mapping[str, Resource] = {
    REST["code"]: REST,
    USER_AUTHENTICATION: {"system": DICOM, "code": USER_AUTHENTICATION, "display": "User Authentication"},
    SECURITY_ALERT: {"system": DICOM, "code": SECURITY_ALERT, "display": "Security Alert"},
}
EXPORT = {"system": DICOM, "code": "110106", "display": "Export"}
DISCLOSE = {"system": LIFECYCLE, "code": "disclose", "display": "Disclose Record Lifecycle Event"}
APPLICATION = {"system": DICOM, "code": "110150", "display": "Application"}
DESTINATION = {"system": DICOM, "code": "110152", "display": "Destination Role ID"}
ORIGIN = {"system": DICOM, "code": "110153", "display": "Source Role ID"}
AUTHORIZATION_SERVER = {
    "system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes",
    "code": "AuthzOauthService",
}
CUSTODIAN = {"system": PROVENANCE, "code": "custodian", "display": "Custodian"}
# action -> the client's role, the server's, the user's
AGENTS: Mapping[str, tuple[Resource, Resource, str]] = {
    "R": (DESTINATION, ORIGIN, "IRCP"),
    "E": (ORIGIN, DESTINATION, "IRCP"),
    "C": (ORIGIN, DESTINATION, "AUT"),
    "U": (ORIGIN, DESTINATION, "AUT"),
    "D": (APPLICATION, CUSTODIAN, "CST"),
}
SECURITY_AGENTS = (APPLICATION, AUTHORIZATION_SERVER, "IRCP")
USER_ROLES = {"IRCP": "information recipient", "AUT": "author (originator)", "CST": "custodian"}
NETWORK_NAME, NETWORK_ADDRESS, NETWORK_URI = "1", "2", "5"  # https://hl7.org/fhir/R4/valueset-network-type.html
HUB = "CalAIM FHIR Hub"
NOBODY = "unknown"  # who sent no token, or none that is known
DISCLOSURE_ENDING = "-d"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an AuditEvent stands: the record's number, which of its patients (0: none), and of which kind it is."""

    seq: int
    place: int
    disclosure: bool = False

    def __str__(self) -> str:
        return f"{self.seq}-{self.place}{DISCLOSURE_ENDING if self.disclosure else ''}"

    @classmethod
    def of(cls, identity: str) -> "Place | None":
        """The inverse of `str`; None where no AuditEvent has such an id."""
        plain = identity.removesuffix(DISCLOSURE_ENDING)
        seq, _, place = plain.partition("-")
        if not (seq.isascii() and seq.isdigit() and place.isascii() and place.isdigit()):
            return None
        found = cls(int(seq[:18]), int(place[:9]), plain != identity)
        return found if str(found) == identity else None


@dataclass(frozen=True, slots=True)
class Teller:
    """Writes records as AuditEvents. `base` is the hub's public FHIR base, `patients` the ids of addresses."""

    base: str
    patients: Mapping[int, str]

    def events(self, seq: int, record: Record) -> Iterator[tuple[Place, Resource]]:
        """All of one record, in the order of their places."""
        for place, release in enumerate(record.releases, start=1):
            yield self._one(Place(seq, place), record, release)
            if discloses_part_2(record, release):
                yield self.disclosure(Place(seq, place, True), record, release)
        if not record.releases:
            yield self._one(Place(seq, 0), record, None)

    def _one(self, place: Place, record: Record, release: Release | None) -> tuple[Place, Resource]:
        kind = KINDS[record.interaction]
        profile = kind.canonical(release is not None) if record.succeeded else ""
        made = self._head(place, record, profile) | {"type": TYPES[kind.type], "subtype": _subtypes(kind)}
        made["action"] = kind.action
        made |= _ending(record)
        made["agent"] = self._agents(record, SECURITY_AGENTS if kind.is_security else AGENTS[kind.action])
        made["source"] = self._source()
        made["entity"] = [*self._entities(record, kind.profile == QUERY or kind.is_security, release)]
        if profile == TOKEN_GIVEN:  # it has the one entity
            made["entity"] = made["entity"][:1]
        return place, made

    def disclosure(self, place: Place, record: Record, release: Release) -> tuple[Place, Resource]:
        """What an accounting of disclosures tells: when, what, to whom, why, and by which consent."""
        read = _subtypes(KINDS[record.interaction])
        made = self._head(place, record, DISCLOSURE) | {"type": EXPORT, "subtype": [DISCLOSE, *read], "action": "R"}
        made |= _ending(record)
        made["agent"] = [self._server(ORIGIN), _client(record, DESTINATION), *_user(record, "IRCP")]
        made["source"] = self._source()
        consents = [
            {
                "what": {"reference": f"Consent/{consent}"},
                "type": _entity_type("2"),
                "role": {"system": ROLE, "code": "13", "display": "Security Resource"},
            }
            for consent in release.consents
        ]
        made["entity"] = [*self._entities(record, False, release), *consents]
        return place, made

    def _head(self, place: Place, record: Record, profile: str) -> Resource:
        meta: Resource = {"versionId": "1", "lastUpdated": clock.instant(record.at)}
        if profile:
            meta["profile"] = [profile]
        return {"resourceType": "AuditEvent", "id": str(place), "meta": meta, "recorded": clock.instant(record.at)}

    def _agents(self, record: Record, roles: tuple[Resource, Resource, str]) -> list[Resource]:
        client, server, user = roles
        return [_client(record, client), self._server(server), *_user(record, user)]

    def _server(self, role: Resource) -> Resource:
        return {
            "type": {"coding": [role]},
            "who": {"display": HUB},
            "requestor": False,
            "network": {"address": self.base, "type": NETWORK_URI},
        }

    def _source(self) -> Resource:
        server = {"system": SOURCE_TYPE, "code": "4", "display": "Application Server"}
        return {"site": self.base, "observer": {"display": HUB}, "type": [server]}

    def _entities(self, record: Record, asks: bool, release: Release | None) -> Iterator[Resource]:
        if asks:
            yield {
                "type": _entity_type("2"),
                "role": {"system": ROLE, "code": "24", "display": "Query"},
                **_labels(release),
                "query": b64encode(f"{record.method} {record.query}".encode()).decode(),
            }
        else:
            yield {
                "what": _what(record),
                "type": _entity_type("2"),
                "role": {"system": ROLE, "code": "4", "display": "Domain Resource"},
                **_labels(release),
            }
        if release is not None:
            yield {
                "what": self._patient(release.patient),
                "type": _entity_type("1"),
                "role": {"system": ROLE, "code": "1", "display": "Patient"},
            }
        if record.request:
            request = {"identifier": {"value": record.request}}
            yield {"what": request, "type": {"system": REQUEST, "code": "XrequestId"}}

    def _patient(self, address: int) -> Resource:
        """The Patient; one that was never stored here is known by its number only."""
        identity = self.patients.get(address)
        if identity is None:
            return {"type": "Patient", "identifier": {"value": str(address)}}
        return {"reference": f"Patient/{identity}"}


def _subtypes(kind: Kind) -> list[Resource]:
    return [{"system": system_of(code), "code": code} for code in kind.subtypes]


def _ending(record: Record) -> Resource:
    made: Resource = {"outcome": outcome(record.status)}
    if not record.succeeded:
        made["outcomeDesc"] = f"HTTP {record.status}"
    if record.purposes or record.reason:
        made["purposeOfEvent"] = _purposes(record) + ([{"text": record.reason}] if record.reason else [])
    return made


def _purposes(record: Record) -> list[Resource]:
    return [{"coding": [{"system": REASON, "code": code}]} for code in record.purposes]


def _client(record: Record, role: Resource) -> Resource:
    """The program that asked; it is the requestor where nobody sits before it."""
    made: Resource = {
        "type": {"coding": [role]},
        "who": {"identifier": {"value": record.client}} if record.client else {"display": NOBODY},
        "name": record.client or NOBODY,
        "requestor": not record.user,
        "network": _network(record.network),
    }
    return made | ({"role": [{"text": record.role}]} if record.role else {})


def _network(text: str) -> Resource:
    """An address; a name where it is one: that of a webhook's receiver, or nobody's."""
    is_address = ":" in text or text.replace(".", "").isdigit()
    return {"address": text or "localhost", "type": NETWORK_ADDRESS if is_address else NETWORK_NAME}


def _user(record: Record, role: str) -> Iterator[Resource]:
    if record.user:
        yield {
            "type": {"coding": [{"system": PARTICIPATION, "code": role, "display": USER_ROLES[role]}]},
            "who": {"identifier": {"value": record.user}},
            "requestor": True,
            **({"purposeOfUse": _purposes(record)} if record.purposes else {}),
        }


def _what(record: Record) -> Resource:
    """The resource, by its version where one is known; without an id, what kind of thing it is."""
    if not ID.match(record.id):
        return {"display": record.type or "the whole system"}
    version = f"/_history/{record.version}" if record.version else ""
    return {"reference": f"{record.type}/{record.id}{version}"}


def _labels(release: Release | None) -> Resource:
    """The sensitivity labels of what left."""
    if release is None or not release.labels:
        return {}
    return {"securityLabel": codings_of(release.labels)}


def _entity_type(code: str) -> Resource:
    return {"system": ENTITY, "code": code, "display": {"1": "Person", "2": "System Object"}[code]}
