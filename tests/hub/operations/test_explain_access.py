"""Patient/[id]/$explain-access tells an auditor which provision decided, in ids, and nobody else anything."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, delete

from hub import clock
from hub.access import Access
from hub.operations.arguments import arguments
from hub.operations.call import Call, Engines
from hub.operations.explain_access import ROWS, explain_access
from hub.problems import Problem
from hub.rights.consents import ANYONE
from hub.rights.labels import ALL_BITS, BITS, PART2, SUD
from hub.search.query import Limits
from hub.search.values import FOREVER, NEVER
from hub.sight import GRANTED, PANEL, SEVERAL, Sight
from hub.store.engine import Database
from hub.store.tables import index_consent, index_patient, index_relation, resource
from tests.hub.asking import BASE
from tests.hub.consenting import ECM, HARBOR, PATIENT, TREAT, complete, consent, made, provision, rows, store

SIGHT = Sight(
    holders=(HARBOR,), kinds=PANEL | GRANTED, recipients=(HARBOR, ECM, ANYONE), purposes=TREAT, guarded=ALL_BITS
)
SIGHTS = {
    "ecm": SIGHT,
    "ilos": replace(SIGHT, never=BITS["HIV"], guarded=ALL_BITS & ~BITS["HIV"]),
    "free": replace(SIGHT, guarded=PART2),
    "own": replace(SIGHT, own=HARBOR),
}
YEARS = {"start": "2020-01-01", "end": "2099-12-31"}  # the predicate asks the clock
OBSERVATION = "Observation/o1"


@pytest.fixture
def connection(swept: Database) -> Iterator[Connection]:
    """One patient with one observation, on the panel of Harbor."""
    with swept.write() as opened:
        for table in (index_consent, index_relation, index_patient, resource):
            opened.execute(delete(table))
        made(opened, 100, "Patient", "p1", PATIENT, 0)
        made(opened, 101, "Observation", "o1", PATIENT, PART2 | SUD)
        relate(opened, PANEL)
        yield opened
        opened.rollback()


def relate(connection: Connection, kind: int) -> None:
    row = {"patient": PATIENT, "holder": HARBOR, "kind": kind, "low": NEVER, "high": FOREVER, "rid": 1}
    connection.execute(index_relation.insert().values(row))


def ask(connection: Connection, role: str = "auditor", patient: str = "p1", **given: str) -> Any:
    """The answer as a client would read it."""
    given = {"client": "ecm", "resource": OBSERVATION} | given
    values, _ = arguments(ROWS[0], [pair for pair in given.items() if pair[1]], None, False)
    call = Call(
        connection,
        None,  # type: ignore[arg-type] - it writes nothing
        Access("auditor", frozenset(), role),
        BASE,
        b"",
        Limits(base=BASE),
        60,
        clock.now,
        Engines(sight_of=SIGHTS.get),
        "explain-access",
        "instance",
        "Patient",
        patient,
        given=values,
    )
    return json.loads(explain_access(call))


def part(found: Any, *names: str) -> list[Any]:
    """The values at a path of names."""
    nodes = found.get("parameter", found.get("part", []))
    inner = [node for node in nodes if node["name"] == names[0]]
    if len(names) > 1:
        return [value for node in inner for value in part(node, *names[1:])]
    return [next(value for key, value in node.items() if key.startswith("value")) for node in inner]


def reasons(found: Any) -> dict[str, str]:
    return dict(zip(part(found, "label", "code"), part(found, "label", "reason"), strict=True))


def test_without_a_consent_it_says_that_there_is_none(connection: Connection) -> None:
    found = ask(connection)
    assert part(found, "decision") == ["deny"]
    assert part(found, "relation", "found") == [True]
    assert part(found, "relation", "kind") == ["panel"]
    assert reasons(found) == {"PART2": "no-consent", "SUD": "no-consent"}
    assert part(found, "label", "policy") == ["guarded", "guarded"]


def test_it_names_the_consent_that_permits(connection: Connection) -> None:
    store(connection, rows(consent(complete(period=YEARS), dateTime="2024-01-01")))
    found = ask(connection)
    assert part(found, "decision") == ["permit"]
    assert reasons(found) == {"PART2": "consent-permits", "SUD": "consent-permits"}
    assert part(found, "label", "provision", "consent") == [{"reference": "Consent/c1"}] * 2
    assert part(found, "label", "provision", "depth") == [0, 0]


def test_it_names_the_nested_provision_that_denies(connection: Connection) -> None:
    inner = provision("deny", marked="SUD")
    store(connection, rows(consent(complete(inner, period=YEARS), dateTime="2024-01-01")))
    found = ask(connection)
    assert part(found, "decision") == ["deny"]
    assert reasons(found) == {"PART2": "consent-permits", "SUD": "consent-denies"}
    assert part(found, "label", "provision", "type") == ["permit", "deny"]
    assert part(found, "label", "provision", "depth") == [0, 1]


def test_it_names_the_revocation_that_overrules(connection: Connection) -> None:
    revoked = consent(form="ascmi-revocation", dateTime="2025-01-01")
    older = consent(provision("deny"), dateTime="2023-01-01")
    store(connection, rows(consent(complete(period=YEARS), dateTime="2024-01-01"), revoked, older))
    found = ask(connection)
    assert part(found, "decision") == ["deny"]
    assert part(found, "label", "provision", "consent") == [{"reference": "Consent/c2"}] * 2


@pytest.mark.parametrize("form", ["ascmi-ab133"])
def test_it_says_which_condition_is_not_met(connection: Connection, form: str) -> None:
    store(connection, rows(consent(complete(period=YEARS), form, dateTime="2024-01-01")))
    found = ask(connection)
    assert (part(found, "decision"), reasons(found)["PART2"]) == (["deny"], "condition-not-met")
    assert part(found, "label", "provision", "needs-medi-cal") == [True, True]


def test_another_purpose_is_asked_for_only_if_the_client_has_it(connection: Connection) -> None:
    store(connection, rows(consent(complete(period=YEARS, for_="TREAT HPAYMT"), dateTime="2024-01-01")))
    assert part(ask(connection, purpose="TREAT"), "decision") == ["permit"]
    assert part(ask(connection, purpose="HPAYMT"), "decision") == ["deny"]


@pytest.mark.parametrize(
    ("client", "mask", "decision", "expected"),
    [
        ("ilos", BITS["HIV"], "deny", {"HIV": "never"}),
        ("free", SUD, "permit", {"SUD": "free"}),
        ("free", PART2, "deny", {"PART2": "no-consent"}),
        ("own", PART2, "permit", {"PART2": "own-data"}),
        ("ecm", 0, "permit", {}),
        ("ecm", -1, "deny", dict.fromkeys(BITS, "no-consent")),
    ],
)
def test_what_needs_no_consent_and_what_nothing_opens(
    connection: Connection, client: str, mask: int, decision: str, expected: dict[str, str]
) -> None:
    connection.execute(resource.update().where(resource.c.id == "o1").values(labels=mask, source=HARBOR))
    found = ask(connection, client=client)
    assert (part(found, "decision"), reasons(found)) == ([decision], expected)


def test_broken_glass_is_named(connection: Connection) -> None:
    relate(connection, GRANTED)
    found = ask(connection)
    assert (part(found, "decision"), reasons(found)["PART2"]) == (["permit"], "broken-glass")


def test_without_a_relation_it_says_so(connection: Connection) -> None:
    connection.execute(delete(index_relation))
    connection.execute(resource.update().values(labels=0))
    found = ask(connection, resource="")
    assert part(found, "resource") == [{"reference": "Patient/p1"}]
    assert (part(found, "decision"), part(found, "relation", "found")) == (["deny"], [False])


def test_a_resource_of_several_patients_is_opened_by_no_consent(connection: Connection) -> None:
    store(connection, rows(consent(complete(period=YEARS), dateTime="2024-01-01")))
    connection.execute(resource.update().where(resource.c.id == "o1").values(patient=SEVERAL))
    connection.execute(index_patient.insert(), [{"rid": 101, "patient": PATIENT}])
    found = ask(connection)
    assert (part(found, "decision"), reasons(found)["PART2"]) == (["deny"], "no-consent")


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"role": "ecm-provider"}, "forbidden"),
        ({"role": "operator"}, "forbidden"),
        ({"role": ""}, "forbidden"),
        ({"client": "nobody"}, "not-found"),
        ({"patient": "p2"}, "not-found"),
        ({"resource": "Observation/o2"}, "not-found"),
        ({"resource": "Observation"}, "value"),
        ({"resource": "Nothing/o1"}, "value"),
        ({"purpose": "FUN"}, "value"),
        ({"client": ""}, "required"),
    ],
)
def test_it_refuses(connection: Connection, asked: dict[str, str], kind: str) -> None:
    with pytest.raises(Problem) as refused:
        ask(connection, **asked)
    assert refused.value.kind == kind


def test_nothing_of_the_content_is_told(connection: Connection) -> None:
    secret = b'{"resourceType":"Observation","note":"ZQSECRET"}'
    connection.execute(resource.update().values(body=secret))
    assert "ZQSECRET" not in json.dumps(ask(connection))
