"""Patient/$member-match: another system names a member by card and demographics, and gets our number for it.

Rules: Da Vinci HRex 1.1.0, http://hl7.org/fhir/us/davinci-hrex/OperationDefinition/member-match: exactly one member
or 422, told alike for none and for several; a member or subscriber number must be right (no match by demographics
alone); brute force is throttled: so many calls a minute of one client, counted in the database, so on all nodes.
What is found opens nothing: who may see the member's record is decided as ever (docs/access.md). A Consent that
comes along is looked at, and not stored: nobody writes the Consent that opens its own access.
Refuses: roles that do not match members (403), too many calls (429), an Idempotency-Key (400: an attempt counts
each time), a Consent that is not in force or says nothing that the hub can keep (422), a Patient or a Coverage
too sensitive for the caller (422, as if there were none).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hub import clock
from hub.access import Access
from hub.fhir import json
from hub.identity.attempts import attempt
from hub.identity.chosen import current
from hub.identity.counts import frequencies
from hub.identity.decide import LINK, decide
from hub.identity.patient import person_of
from hub.identity.strong import Identifier, Systems
from hub.operations.call import Call, Operation, Parameter
from hub.problems import Problem
from hub.search.query import Limits, parse
from hub.search.texts import escaped
from hub.search.values import date_range
from hub.sight import Sight
from hub.store import read
from hub.store.joined import Joined
from hub.store.read import Stored

MATCHING = frozenset(("plan", "ehr", "county-behavioral-health", "ecm-provider", "custodian"))
POLICIES = ("hrex-consent.html#regular", "hrex-consent.html#sensitive")
MEMBER_NUMBER = {"system": "http://hl7.org/fhir/us/davinci-hrex/CodeSystem/hrex-temp", "code": "UMB"}
MOST = 10  # with one number
CARD = "urn:calaim-fhir-hub:member-number"  # the number that both have, whatever kind it is
Resource = dict[str, Any]


def member_match(call: Call) -> bytes:
    """A Parameters resource: MemberIdentifier and MemberId."""
    if call.access.role not in MATCHING:
        raise Problem("forbidden", "This client matches no members")
    _count(call)
    patient, coverage = _given(call, "MemberPatient", "Patient"), _given(call, "CoverageToMatch", "Coverage")
    _check_consent(call)
    numbers = frozenset(_numbers(coverage))
    found = {row.id: row for value in numbers for row in _with_number(call, value)}
    same = [row for row in found.values() if _is_same(call, patient, row, numbers)]
    if len(same) != 1:
        raise Problem("processing", "Not exactly one member matches")
    call.released.append(same[0])
    return json.write({"resourceType": "Parameters", "parameter": list(_told(same[0], numbers))})


def _count(call: Call) -> None:
    database = call.transactions.database
    if isinstance(database, Joined):
        raise Problem("not-supported", "$member-match takes no Idempotency-Key")
    now = clock.micros(call.now())
    most = call.engines.member_matches
    wait = database.writing(lambda connection: attempt(connection, call.access.who, now, most))
    if wait:
        raise Problem("throttled", "Too many $member-match of this client", headers={"Retry-After": str(wait)})


def _given(call: Call, name: str, kind: str) -> Resource:
    found: Resource = call.given[name]
    if found.get("resourceType") != kind:
        raise Problem("invalid", f"'{name}' is a {kind}", name)
    return found


def _check_consent(call: Call) -> None:
    consent = call.given.get("Consent")
    if consent is None:
        return
    said = consent.get("provision", {})
    named = [str(policy.get("uri", "")) for policy in consent.get("policy", ())]
    is_held = consent.get("status") == "active" and said.get("type", "permit") == "permit"
    if not is_held or not _is_in_force(said, call) or not any(one.endswith(POLICIES) for one in named):
        raise Problem("processing", "The Consent cannot be honored", "Consent")


def _is_in_force(said: Mapping[str, Any], call: Call) -> bool:
    period, now = said.get("period", {}), clock.micros(call.now())
    start, end = (date_range(str(period.get(name, ""))) for name in ("start", "end"))
    return start is not None and end is not None and start[0] <= now < end[1]


def _numbers(coverage: Mapping[str, Any]) -> Iterator[str]:
    """The member's numbers on a card."""
    for value in (coverage.get("subscriberId"), *(each.get("value") for each in coverage.get("identifier", ()))):
        if isinstance(value, str) and 0 < len(value) <= 64:
            yield value


def _with_number(call: Call, value: str) -> Iterator[Stored]:
    """Active Patients that have the number, or a Coverage with it; neither of them guarded from the caller: no
    consent is asked for, for nobody is known yet."""
    theirs = call.access.sight
    sight = Sight(all_patients=True, guarded=theirs.guarded, never=theirs.never)
    access = replace(Access.system("member match"), who=call.access.who, sight=sight)
    asked = (("identifier", escaped(value)),), (("_has:Coverage:beneficiary:identifier", escaped(value)),)
    for pairs in asked:
        query = parse("Patient", [*pairs, ("active:not", "false")], Limits(base=call.base))
        rows = read.page(call.connection, access, query, (), MOST)
        yield from (row for row in rows if row.body)


def _is_same(call: Call, patient: Resource, row: Stored, numbers: frozenset[str]) -> bool:
    """The number is right already: do names and birth date agree, with no guard against it?"""
    stored = json.stored(row.body or b"{}")
    number = Identifier("county", CARD, min(numbers))
    one, other = person_of(patient, "card", Systems()), person_of(stored, "", Systems())
    if one.birth is None or not one.names or one.placeholder:
        return False
    one, other = (replace(each, identifiers=(*each.identifiers, number)) for each in (one, other))
    return decide(one, other, frequencies(call.connection), current().limits).outcome == LINK


def _told(row: Stored, numbers: frozenset[str]) -> Iterator[Resource]:
    stored = json.stored(row.body or b"{}")
    identifiers = [each for each in stored.get("identifier", ()) if each.get("value") in numbers]
    number = identifiers[0] if identifiers else {"value": min(numbers)}
    kept = {name: number[name] for name in ("system", "value") if name in number}
    yield {"name": "MemberIdentifier", "valueIdentifier": {"type": {"coding": [MEMBER_NUMBER]}, **kept}}
    yield {"name": "MemberId", "valueReference": {"reference": f"Patient/{row.id}"}}


ROWS = (
    Operation(
        "member-match",
        "http://hl7.org/fhir/us/davinci-hrex/OperationDefinition/member-match",
        ("type",),
        member_match,
        ("Patient",),
        (
            Parameter("MemberPatient", "Resource", required=True),
            Parameter("CoverageToMatch", "Resource", required=True),
            Parameter("CoverageToLink", "Resource"),
            Parameter("Consent", "Resource"),
        ),
        affects=True,
    ),
)
