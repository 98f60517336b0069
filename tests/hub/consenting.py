"""Invented Consents, and the decision once more: in plain Python, as a check of the rows and of the SQL."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection

from hub.rights.consents import ANYONE, Row, recipient_class, rules_of
from hub.rights.labels import BITS
from hub.search.edges import address
from hub.search.values import date_range
from hub.sight import PURPOSES
from hub.store.tables import index_consent, resource
from tests.hub.asking import BASE

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
FORM = "urn:calaim-fhir-hub:consent-form:"
CATEGORY = "urn:calaim-fhir-hub:consent-category"
CLASS = "urn:calaim-fhir-hub:recipient-class"

NOW = "2026-06-15T12:00:00Z"
PATIENT = address("Patient", "p1")
HARBOR = address("Organization", "harbor")
CLINIC = address("Organization", "clinic")
ECM = recipient_class("ecm-provider")
TREAT = PURPOSES["TREAT"]

_NAMES = [column.name for column in index_consent.columns]

Node = dict[str, Any]
Placed = tuple[int, Row]  # a row with its row number


def at(text: str) -> int:
    found = date_range(text)
    assert found
    return found[0]


def concept(system: str, code: str) -> Node:
    return {"coding": [{"system": system, "code": code}]}


def actor(of: str, role: str = "IRCP") -> Node:
    """`Organization/harbor`, or the name of a class."""
    named = {"reference": of} if "/" in of or of[:1] == "#" else {"identifier": {"system": CLASS, "value": of}}
    return {"role": concept(PARTICIPATION, role), "reference": named}


def provision(kind: str = "permit", *inner: Node, to: Iterable[str] = (), marked: str = "", **parts: Any) -> Node:
    """`marked`: labels; `for_`: purposes; the other parts as they are."""
    made: Node = {"type": kind}
    if to:
        made["actor"] = [actor(one) for one in to]
    if marked:
        made["securityLabel"] = [{"system": ACT, "code": code} for code in marked.split()]
    if aims := parts.pop("for_", ""):
        made["purpose"] = [{"system": REASON, "code": code} for code in aims.split()]
    if inner:
        made["provision"] = list(inner)
    return made | parts


def complete(
    *inner: Node, to: Iterable[str] = ("Organization/harbor",), marked: str = "42CFRPart2", **parts: Any
) -> Node:
    """A permit with everything that 42 CFR 2.31 wants of it."""
    parts = {"for_": "TREAT", "period": {"start": "2026-01-01", "end": "2026-12-31"}} | parts
    return provision("permit", *inner, to=to, marked=marked, **parts)


def consent(what: Node | None = None, form: str = "", **parts: Any) -> Node:
    """A Consent that its patient signed; a part that is None is left out."""
    made: Node = {
        "resourceType": "Consent",
        "status": "active",
        "scope": concept(SCOPE, "patient-privacy"),
        "category": [concept(ACT, "IDSCL")],
        "patient": {"reference": "Patient/p1"},
        "dateTime": "2026-02-01T09:00:00Z",
        "performer": [{"reference": "Patient/p1"}],
        "policy": [{"uri": FORM + form}] if form else None,
        "provision": what,
    }
    return {name: value for name, value in (made | parts).items() if value is not None}


def by_proxy(*proxies: str, adult: bool = True) -> Node:
    """The parts of a Consent that these RelatedPersons signed."""
    said = [concept("urn:calaim-fhir-hub:consent-signer", "representative-of-an-adult")] if adult else []
    return {"performer": [{"reference": one} for one in proxies], "category": [concept(ACT, "IDSCL"), *said]}


def rows(*consents: Node) -> list[Placed]:
    """Their rows; each Consent has the next row number."""
    return [(number, row) for number, one in enumerate(consents, 1) for row in sorted(rules_of(one, BASE))]


def permitted(
    placed: Collection[Placed],
    bit: int,
    recipients: Collection[int] = (HARBOR, ECM, ANYONE),
    purposes: int = TREAT,
    now: int | None = None,
    proxies: Collection[int] = (),
    medi_cal: bool = True,
    patient: int = PATIENT,
) -> bool:
    """The decision: a permit that holds now, and no denial that is newer, or as new and not around it."""
    now = at(NOW) if now is None else now
    heard = [
        (rid, row)
        for rid, row in placed
        if row[0] == patient and row[1] in recipients and row[4] & bit and row[6] <= now < row[7]
    ]
    return any(
        row[3]
        and row[5] & purposes
        and (row[10] == 0 or row[10] in proxies)
        and (medi_cal or not row[11])
        and not any(
            not deny[3] and (deny[8] > row[8] or (deny[8] == row[8] and (other != rid or deny[9] >= row[9])))
            for other, deny in heard
        )
        for rid, row in heard
    )


def opened(*consents: Node, **asked: Any) -> set[str]:
    """The names of the labels that these Consents open."""
    placed = rows(*consents)
    return {name for name, bit in BITS.items() if permitted(placed, bit, **asked)}


def store(connection: Connection, placed: list[Placed]) -> None:
    """Rows of index_consent, and the Consents `c1`, `c2` … that they are of."""
    for number in sorted({number for number, _ in placed}):
        made(connection, number, "Consent", f"c{number}", 0, 0)
    rows_ = [dict(zip(_NAMES, (*row[:2], number, *row[2:]), strict=True)) for number, row in placed]
    if rows_:
        connection.execute(index_consent.insert(), rows_)


def made(connection: Connection, rid: int, kind: str, identity: str, patient: int, labels: int) -> None:
    row = {"rid": rid, "type": kind, "id": identity, "version": 1, "last_updated": 0, "deleted": False}
    others = {"body": b"{}", "address": address(kind, identity), "patient": patient, "labels": labels, "source": 0}
    connection.execute(resource.insert().values(row | others))
