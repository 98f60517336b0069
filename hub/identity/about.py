"""What is stored about a Patient, and what its consents say: where a merge looks.

Rules: docs/identity.md "Merge": what belongs to the Patient (resource.patient, index_patient), and whatever
refers to it by an element that R4 has a search parameter for. A deleted resource belongs to somebody, too.
"""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, select

from hub.fhir.types import resource_types
from hub.rights.stricter import Row
from hub.search import custom
from hub.search.edges import address, reference_key
from hub.search.parameters import rows_of
from hub.store.tables import index_consent, index_patient, index_relation, index_token, resource

CHUNK = 500
_ROWS = (
    *("patient", "recipient", "place", "permit", "labels", "purposes", "low", "high", "signed", "depth"),
    *("proxy", "medi_cal"),
)


def of_patient(connection: Connection, patient: str) -> set[int]:
    """Row numbers of what belongs to this Patient, and of what refers to it."""
    who = address("Patient", patient)
    found = set(connection.execute(select(resource.c.rid).where(resource.c.patient == who)).scalars())
    found |= set(connection.execute(select(index_patient.c.rid).where(index_patient.c.patient == who)).scalars())
    for some in _chunks(_keys(patient)):
        found |= set(connection.execute(select(index_token.c.rid).where(index_token.c.hash.in_(some))).scalars())
    return found


def of_persons(connection: Connection, persons: Iterable[int]) -> set[int]:
    """Row numbers of what came with these source persons."""
    found: set[int] = set()
    for some in _chunks(persons):
        asked = select(resource.c.rid).where(resource.c.person.in_(some), ~resource.c.deleted)
        found |= set(connection.execute(asked).scalars())
    return found


def subscriptions(connection: Connection) -> set[int]:
    """Row numbers of all that are there: some thousands, whose criteria no index knows."""
    asked = select(resource.c.rid).where(resource.c.type == "Subscription", ~resource.c.deleted)
    return set(connection.execute(asked).scalars())


def consents(connection: Connection, patient: str) -> list[Row]:
    """What the Consents of a Patient permit and deny."""
    asked = select(*(index_consent.c[name] for name in _ROWS))
    rows = connection.execute(asked.where(index_consent.c.patient == address("Patient", patient)))
    return [tuple(row) for row in rows]


def relations(connection: Connection, rids: Iterable[int], patient: str) -> set[tuple[int, tuple[int, ...]]]:
    """(row number, relation) of those to this Patient that count."""
    found: set[tuple[int, tuple[int, ...]]] = set()
    names = ("patient", "holder", "kind", "low", "high")
    for some in _chunks(rids):
        asked = select(index_relation.c.rid, *(index_relation.c[name] for name in names))
        asked = asked.where(index_relation.c.rid.in_(some), index_relation.c.patient == address("Patient", patient))
        found |= {(row[0], tuple(row[1:])) for row in connection.execute(asked)}
    return found


def _keys(patient: str) -> Iterator[int]:
    """The index keys of a reference to this Patient, of every parameter of every type."""
    for name in resource_types():
        for code, row in rows_of(name).items():
            if row["type"] == "reference" and {"Patient", "Resource"} & set(row["targets"].split()):
                yield reference_key((name, code), "Patient", patient)
        for known in custom.current().indexed(name):
            yield reference_key((name, known.key_code), "Patient", patient)


def _chunks(numbers: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(set(numbers))
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]
