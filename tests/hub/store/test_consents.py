"""Which Consents decide: SQL over the rows, the predicate of every read, and plain Python agree."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select

from hub.rights.consents import ANYONE, Row, recipient_class
from hub.rights.labels import ALL_BITS, BITS, COUNSELLING, HIV, PART2, SUD
from hub.search.edges import address
from hub.search.values import FOREVER, NEVER
from hub.sight import COVERAGE, PANEL, PROXY, PURPOSES, Sight
from hub.store.consents import deciding, relied_on
from hub.store.engine import Database
from hub.store.sight import named, seen
from hub.store.tables import index_consent, index_relation, resource
from tests.hub.consenting import (
    CLINIC,
    ECM,
    HARBOR,
    NOW,
    PATIENT,
    TREAT,
    Placed,
    at,
    by_proxy,
    complete,
    consent,
    made,
    permitted,
    provision,
    rows,
    store,
)

ME = (HARBOR, ECM, ANYONE)
PARENT = address("RelatedPerson", "parent")
SIGHT = Sight(all_patients=True, recipients=ME, purposes=TREAT, guarded=ALL_BITS)
FOREVER_ON = {"low": NEVER, "high": FOREVER, "rid": 1}


@pytest.fixture
def connection(swept: Database) -> Iterator[Connection]:
    """A transaction that is undone; the clock of the predicate stands still nowhere, so periods are wide."""
    with swept.write() as opened:
        for table in (index_consent, index_relation, resource):
            opened.execute(delete(table))
        yield opened
        opened.rollback()


def related(connection: Connection, kind: int, holder: int) -> None:
    connection.execute(index_relation.insert().values(patient=PATIENT, holder=holder, kind=kind, **FOREVER_ON))


def test_the_newest_comes_first_and_says_whether_it_opens(connection: Connection) -> None:
    older = consent(complete(), dateTime="2026-01-10T00:00:00Z")
    denial = consent(provision("deny", to=["Organization/harbor"]), dateTime="2026-02-10T00:00:00Z")
    newer = consent(complete(), dateTime="2026-03-10T00:00:00Z")
    store(connection, rows(older, denial, newer))
    found = deciding(connection, PATIENT, ME, TREAT, PART2, at(NOW))
    assert [(one.consent, one.permit, one.opens) for one in found] == [
        ("c3", True, True),
        ("c2", False, False),
        ("c1", True, False),
    ]
    assert [one.is_overruled for one in found] == [False, False, True]


@pytest.mark.parametrize(
    ("asked", "consents"),
    [
        ({}, ["c1"]),
        ({"recipients": (CLINIC, ANYONE)}, []),
        ({"label_bit": BITS["HIV"]}, []),
        ({"patient": address("Patient", "p2")}, []),
        ({"now": at("2027-01-01")}, []),
        ({"now": at("2025-12-31")}, []),
    ],
)
def test_only_what_speaks_of_the_label_to_the_recipient_now_is_told(
    connection: Connection, asked: dict[str, Any], consents: list[str]
) -> None:
    store(connection, rows(consent(complete(), dateTime="2026-01-01")))
    usual = {"patient": PATIENT, "recipients": ME, "purposes": TREAT, "label_bit": PART2, "now": at(NOW)}
    assert [one.consent for one in deciding(connection, **(usual | asked))] == consents


def test_a_permit_for_another_purpose_is_told_and_does_not_hold(connection: Connection) -> None:
    store(connection, rows(consent(complete())))
    (found,) = deciding(connection, PATIENT, ME, PURPOSES["HPAYMT"], PART2, at(NOW))
    assert (found.holds, found.opens) == (False, False)


@pytest.mark.parametrize(
    ("one", "kind", "holder"),
    [
        (consent(provision(), **by_proxy("RelatedPerson/parent")), PROXY, PARENT),
        (consent(provision(), "ascmi-ab133"), COVERAGE, address("Organization", "plan")),
    ],
)
def test_a_condition_holds_as_long_as_the_relation_is_there(
    connection: Connection, one: dict[str, Any], kind: int, holder: int
) -> None:
    store(connection, rows(one))
    hiv = BITS["HIV"]
    assert [row.opens for row in deciding(connection, PATIENT, ME, TREAT, hiv, at(NOW))] == [False]
    related(connection, PANEL, holder)  # of another kind
    assert [row.opens for row in deciding(connection, PATIENT, ME, TREAT, hiv, at(NOW))] == [False]
    related(connection, kind, holder)
    assert [row.opens for row in deciding(connection, PATIENT, ME, TREAT, hiv, at(NOW))] == [True]
    connection.execute(index_relation.update().values(high=at(NOW)))
    assert [row.opens for row in deciding(connection, PATIENT, ME, TREAT, hiv, at(NOW))] == [False]


def test_a_release_relies_on_the_consents_that_open_part_2_data(connection: Connection) -> None:
    other = {"patient": {"reference": "Patient/p2"}, "performer": [{"reference": "Patient/p2"}]}
    tpo = consent(provision(), "part2-tpo")
    psychiatric = consent(provision(marked="PSY"))
    theirs, closed = consent(complete(), **other), consent(complete(to=["Organization/clinic"]))
    store(connection, rows(consent(complete()), tpo, psychiatric, theirs, closed))
    both = (PATIENT, address("Patient", "p2"), address("Patient", "p3"))
    found = relied_on(connection, dict.fromkeys(both, PART2 | HIV), SIGHT, at(NOW))
    assert found == {(PATIENT, PART2): ["c1", "c2"], (address("Patient", "p2"), PART2): ["c4"]}
    assert relied_on(connection, {PATIENT: PART2}, SIGHT, at(NOW)) == {(PATIENT, PART2): ["c1", "c2"]}


def test_each_label_of_substance_use_relies_on_the_consents_that_open_it(connection: Connection) -> None:
    store(connection, rows(consent(complete(marked="ETH")), consent(complete())))
    found = relied_on(connection, {PATIENT: PART2 | SUD | COUNSELLING}, SIGHT, at(NOW))
    assert found == {(PATIENT, PART2): ["c2"], (PATIENT, SUD): ["c1", "c2"]}
    assert relied_on(connection, {PATIENT: SUD}, SIGHT, at(NOW)) == {(PATIENT, SUD): ["c1", "c2"]}


@pytest.mark.parametrize(
    "sight",
    [
        Sight(everything=True),
        Sight(recipients=ME, purposes=TREAT, guarded=HIV),
        Sight(recipients=ME, purposes=TREAT, never=PART2 | SUD | COUNSELLING),
        Sight(recipients=(), purposes=TREAT),
        Sight(recipients=ME, purposes=0),
    ],
)
def test_who_needs_no_consent_or_can_have_none_relies_on_none(connection: Connection, sight: Sight) -> None:
    store(connection, rows(consent(complete())))
    assert relied_on(connection, {PATIENT: ALL_BITS}, sight, at(NOW)) == {}


def test_a_revocation_ends_the_reliance(connection: Connection) -> None:
    revoked = consent(form="ascmi-revocation", dateTime="2026-03-01T00:00:00Z")
    store(connection, rows(consent(complete()), revoked))
    assert relied_on(connection, {PATIENT: ALL_BITS}, SIGHT, at(NOW)) == {}


def some(chance: random.Random) -> list[Placed]:
    """Rows of up to four Consents, with few values each, so that ties and exceptions are frequent."""
    placed = []
    for rid in range(1, chance.randint(2, 5)):
        signed = chance.choice((100, 100, 200))
        for place in range(chance.randint(1, 3)):
            permit = chance.random() < 0.6
            row: Row = (
                PATIENT if chance.random() < 0.9 else PATIENT + 1,
                chance.choice((*ME, CLINIC, recipient_class("plan"))),
                place,
                permit,
                chance.choice((PART2, SUD, PART2 | SUD, ALL_BITS, COUNSELLING | PART2))
                if permit
                else chance.choice((-1, PART2, SUD)),
                chance.choice((TREAT, PURPOSES["HPAYMT"], 7)) if permit else -1,
                *chance.choice(((NEVER, FOREVER), (NEVER, FOREVER), (NEVER, 10), (FOREVER - 1, FOREVER))),
                signed,
                chance.randint(0, 2),
                chance.choice((0, 0, PARENT)) if permit else 0,
                permit and chance.random() < 0.3,
            )
            placed.append((rid, row))
    return placed


@pytest.mark.parametrize("seed", range(3))
def test_three_readings_of_the_same_rows_agree(connection: Connection, seed: int) -> None:
    chance = random.Random(seed)
    opened = 0
    for _ in range(40):
        for table in (index_consent, index_relation, resource):
            connection.execute(delete(table))
        placed = some(chance)
        proxies, medi_cal = ((PARENT,) if chance.random() < 0.5 else ()), chance.random() < 0.5
        store(connection, placed)
        for proxy in proxies:
            related(connection, PROXY, proxy)
        if medi_cal:
            related(connection, COVERAGE, address("Organization", "plan"))
        for bit in (PART2, SUD, COUNSELLING):
            expected = permitted(placed, bit, ME, TREAT, at(NOW), proxies, medi_cal)
            told = deciding(connection, PATIENT, ME, TREAT, bit, at(NOW))
            assert any(one.opens for one in told) == expected, (placed, bit)
            assert is_seen(connection, bit) == expected, (placed, bit)
            opened += expected
        relied = relied_on(connection, {PATIENT: ALL_BITS}, SIGHT, at(NOW))
        assert {bit for _, bit in relied} == {
            bit
            for bit in (PART2, SUD, COUNSELLING)
            if permitted(placed, bit, ME, TREAT, at(NOW), proxies, medi_cal)
        }
    assert 12 < opened < 108


def is_seen(connection: Connection, bit: int) -> bool:
    """By the predicate that every read carries."""
    connection.execute(delete(resource).where(resource.c.type == "Observation"))
    made(connection, 1000, "Observation", "o1", PATIENT, bit)
    wanted = select(resource.c.id).where(resource.c.type == "Observation", seen(resource, SIGHT))
    return bool(connection.execute(wanted, named(SIGHT)).all())
