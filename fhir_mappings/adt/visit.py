"""All messages of one visit, or one message about a person -> one transaction Bundle.

Rules: https://hl7.org/fhir/R4/http.html#transaction (conditional create and update), visit_fold.py for the order.
- The person: person.py. Encounter and Conditions: conditional updates by identifiers of the facility or of the
  feed.
- What is named besides (practitioners, places, organizations): directory.py, created once.
- Provenance names the message that came last and everything of the person and the visit; not the directory, which
  every message of a hospital names. Cancels that waited for that message have Provenances of their own.
Refuses: what the segment mappings refuse; messages of several visits (ValueError: the caller's fault).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.dg1_condition import condition_system, conditions
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.member_keys import visit_number
from fhir_mappings.adt.msh_provenance import provenance
from fhir_mappings.adt.person import NOBODY as NOBODY
from fhir_mappings.adt.person import KnownMember as KnownMember
from fhir_mappings.adt.person import person_entries
from fhir_mappings.adt.protection import of_the_person, of_the_visit
from fhir_mappings.adt.pv1_encounter import encounter
from fhir_mappings.adt.records import AdtMessage
from fhir_mappings.adt.rows import Context, Element
from fhir_mappings.adt.visit_fold import Visit, fold, in_order
from hub.fhir.conditional import conditional, full_url, put, target

Told = tuple[AdtMessage, datetime]  # a message and when it arrived (aware)


def visit_bundle(
    messages: Sequence[AdtMessage],
    known: KnownMember,
    facility: Facility,
    tables: CodeTables,
    cin_system: str,
    *,
    told: Sequence[Told],
    others: Sequence[AdtMessage] = (),
) -> Element:
    """The transaction for one visit. `messages` are all received so far, in any order; `told` are those that count
    from now on: the one that arrived last, and cancels that waited for it. `others` are messages of other visits of
    the person, for one that is late."""
    context = Context.of(facility, tables, cin_system)
    ordered = in_order(messages, context.zone)
    number = _visit_number(ordered, facility)
    about = in_order([*messages, *others], context.zone) if others else ordered
    context = of_the_person(about, context)
    reference, entries = person_entries(about, told[0][0], known, context)
    visit = fold(ordered, context.zone)
    context = of_the_visit(visit.facts.protection, context)
    entries += _visit_entries(visit, number, reference, context)
    return _bundle(reference, entries, told, context)


def person_bundle(
    messages: Sequence[AdtMessage],
    known: KnownMember,
    facility: Facility,
    tables: CodeTables,
    cin_system: str,
    *,
    latest: AdtMessage,
    recorded: datetime,
) -> Element:
    """The transaction for a message of no visit (A28, A31, A60). `messages` are it and, where it is late, all
    others about the person."""
    context = Context.of(facility, tables, cin_system)
    ordered = in_order(messages, context.zone)
    context = of_the_person(ordered, context)
    reference, entries = person_entries(ordered, latest, known, context)
    return _bundle(reference, entries, [(latest, recorded)], context)


def _visit_entries(visit: Visit, number: str, reference: str, context: Context) -> Iterator[Element]:
    subject, system = {"reference": reference}, context.facility.visit_system
    yield conditional(encounter(visit, number, subject, context), system, number)
    links = {"subject": subject, "encounter": {"reference": full_url(system, "Encounter", number)}}
    for key, condition in conditions(visit, number, links, context):
        yield conditional(condition, condition_system(context), key)


def _bundle(reference: str, entries: list[Element], told: Sequence[Told], context: Context) -> Element:
    # the person is always a target: what a message said of somebody is found even where it changed nothing
    targets = list(dict.fromkeys([reference, *(target(entry) for entry in entries)]))
    sources = [_provenance(targets, message, recorded, context) for message, recorded in told]
    every = [*entries, *context.directory.entries(), *sources]
    return {"resourceType": "Bundle", "type": "transaction", "entry": every}


def _visit_number(ordered: Sequence[AdtMessage], facility: Facility) -> str:
    numbers = {visit_number(message.visit, message.patient) for message in ordered}
    if len(numbers) != 1 or {message.facility for message in ordered} != {facility.code}:
        raise ValueError("The messages are not of one visit at this facility")
    return numbers.pop()


def _provenance(targets: Sequence[str], latest: AdtMessage, recorded: datetime, context: Context) -> Element:
    # its id follows from the message: processing the same message again says the same of it, and not twice
    identity = str(uuid5(NAMESPACE_URL, f"{context.facility.feed}|provenance|{latest.digest}"))
    said = provenance(targets, latest, recorded, context)
    return put(f"Provenance/{identity}", {**said, "id": identity})
