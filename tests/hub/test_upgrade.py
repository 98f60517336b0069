"""What was stored by release 0005 knows nothing of rights: nobody sees it until it is indexed anew, and then it has
what a fresh write of the same resources has."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, func, insert, select

from auth import scopes
from auth.clients import Client
from auth.roles import ROLES
from auth.sights import access_for
from hub import clock
from hub.access import Access
from hub.fhir import json
from hub.rights.labels import BITS
from hub.search.edges import address
from hub.search.hashes import key
from hub.sight import SEVERAL, UNKNOWN
from hub.store import tables as t
from hub.store.engine import Database
from hub.store.sight import named, seen
from hub.transactions import Transactions, single
from tests.house.migrating import bare, up
from tests.hub.asking import BASE, observation, patient
from tests.hub.consenting import HARBOR
from tests.hub.reindexing import finish, sweep, work_of

Resource = dict[str, Any]
HUB = Access.system("tests")
RIGHTS = (t.index_patient, t.index_about, t.index_relation, t.index_consent)
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def of(identity: str) -> Resource:
    return {"reference": f"Patient/{identity}"}


def about(kind: str, identity: str, element: str, *targets: str, **parts: Any) -> Resource:
    return {"resourceType": kind, "id": identity, element: [{"reference": each} for each in targets], **parts}


# in the order of a fresh write; what was stored before comes the other way round: notes first, then their targets
WORLD: tuple[Resource, ...] = (
    {"resourceType": "Organization", "id": "harbor", "name": "Harbor (invented)"},
    patient("a"),
    patient("b"),
    observation("plain", subject=of("a")),
    observation("marked", subject=of("b"), meta={"security": [{"system": ACT, "code": "HIV"}]}),
    observation("nobody"),
    observation("gone", subject=of("b")),
    {"resourceType": "Appointment", "id": "both", "status": "booked", "participant": [
        {"actor": of("a"), "status": "accepted"}, {"actor": of("b"), "status": "accepted"}]},
    {"resourceType": "Coverage", "id": "plan", "status": "active", "beneficiary": of("a"),
     "payor": [{"reference": "Organization/harbor"}]},
    {"resourceType": "CareTeam", "id": "team", "status": "active", "subject": of("b"),
     "participant": [{"member": {"reference": "Organization/harbor"}}]},
    {"resourceType": "Group", "id": "panel", "type": "person", "actual": True,
     "managingEntity": {"reference": "Organization/harbor"}, "member": [{"entity": of("a")}, {"entity": of("b")}]},
    {"resourceType": "Consent", "id": "consent", "status": "active", "patient": of("b"), "dateTime": "2026-01-01",
     "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope",
                           "code": "patient-privacy"}]},
     "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
     "provision": {"type": "deny"}},
    about("Provenance", "of-marked", "target", "Observation/marked"),
    about("Provenance", "of-both", "target", "Observation/plain", "Observation/marked"),
    about("Provenance", "of-provenance", "target", "Provenance/of-marked"),
    about("Provenance", "of-gone", "target", "Observation/gone"),
    about("Provenance", "of-nobody", "target", "Observation/elsewhere"),
    {"resourceType": "Binary", "id": "scan", "contentType": "text/plain",
     "securityContext": {"reference": "Observation/marked"}},
    {"resourceType": "Task", "id": "ask", "status": "requested", "intent": "order",
     "focus": {"reference": "Observation/plain"}},
)  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database as release 0005 left it, with everything in it, at this release's schema."""
    with bare(request, tmp_path, request.param) as database:
        up(database, "0005")
        _fill(database)
        up(database)
        yield database
        sweep(database)


@pytest.fixture
def fresh(old: Database, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of the same kind."""
    with bare(request, tmp_path, "sqlite" if old.is_sqlite else "postgresql") as database:
        up(database)
        yield database


def _fill(database: Database) -> None:
    """As release 0005 wrote; of its search index nothing is needed here: the job that 0006 leaves makes it."""
    stored, earlier = ([*_rows(database, name)] for name in ("resource", "history"))
    with database.write() as connection:
        reflected = MetaData()
        for name, rows in (("resource", stored), ("history", earlier)):
            connection.execute(insert(Table(name, reflected, autoload_with=connection)), rows)


def _rows(_: Database, table: str) -> Iterator[Resource]:
    for place, resource in enumerate(reversed(WORLD), 1):
        kind, identity = resource["resourceType"], resource["id"]
        is_gone = identity == "gone"
        row = {"rid": place, "type": kind, "version": 1, "last_updated": place, "deleted": False}
        row["body"] = json.write(resource)
        if table == "history":
            yield from [row] if is_gone else []
            continue
        more = {"id": identity, "address": address(kind, identity)}
        yield row | more | ({"version": 2, "deleted": True, "body": None} if is_gone else {})


def _write_fresh(database: Database) -> None:
    writes = Transactions(database, lambda *_: (), lambda _: (), BASE)
    for resource in WORLD:
        writes.commit([single("PUT", resource["resourceType"], id=resource["id"], resource=resource)], HUB)
    writes.commit([single("DELETE", "Observation", id="gone")], HUB)


def rights(database: Database) -> dict[str, Any]:
    """What each resource's row and the tables beside it say, by type and id."""
    columns = (t.resource.c.patient, t.resource.c.labels, t.resource.c.source)
    with database.read() as connection:
        rows = connection.execute(select(t.resource.c.rid, t.resource.c.type, t.resource.c.id, *columns)).all()
        names = {row.rid: f"{row.type}/{row.id}" for row in rows}
        found: dict[str, Any] = {names[row.rid]: (row.patient, row.labels, row.source) for row in rows}
        for table in RIGHTS:
            values = [{**row._mapping, "rid": names[row.rid]} for row in connection.execute(select(table))]
            found[table.name] = sorted(tuple(sorted(value.items())) for value in values)
    return found


def test_it_ends_with_what_a_fresh_write_has(old: Database, fresh: Database) -> None:
    finish(old, batch=2)
    _write_fresh(fresh)
    made, wanted = rights(old), rights(fresh)
    assert made == wanted
    assert made["Provenance/of-marked"][:2] == (address("Patient", "b"), made["Observation/marked"][1])
    assert made["Provenance/of-marked"][1] & BITS["HIV"]
    assert made["Provenance/of-provenance"] == made["Provenance/of-marked"] == made["Binary/scan"]
    assert made["Provenance/of-both"][0] == SEVERAL
    assert made["Provenance/of-nobody"][0] == UNKNOWN
    assert made["Observation/gone"][0] == made["Provenance/of-gone"][0] == address("Patient", "b")
    assert len(made["index_relation"]) > 3
    assert made["index_consent"]


def _seen(database: Database) -> dict[str, int]:
    """How many resources each role sees that its own panel or team covers."""
    found = {}
    for role in (role.id for role in ROLES.values() if not role.person):
        client = Client("lantern", "Lantern (invented)", role, organization="Organization/harbor")
        sight = access_for(client, scopes.parse("system/*.cruds"), base=BASE).sight
        with database.read() as connection:
            counted = select(func.count()).select_from(t.resource).where(seen(t.resource, sight))
            found[role] = connection.execute(counted, named(sight)).scalar_one()
    return found


def test_until_then_nobody_but_the_hub_sees_it(old: Database) -> None:
    assert set(_seen(old).values()) == {0}
    with old.read() as connection:
        assert connection.execute(select(func.count()).select_from(t.resource)).scalar_one() == len(WORLD)
    finish(old)
    after = _seen(old)
    assert max(after.values()) > 5


def test_the_content_stays_as_it_was_written(old: Database) -> None:
    def bodies() -> list[Any]:
        with old.read() as connection:
            columns = (t.resource.c.rid, t.resource.c.version, t.resource.c.last_updated, t.resource.c.body)
            return [tuple(row) for row in connection.execute(select(*columns).order_by(t.resource.c.rid))]

    before = bodies()
    finish(old)
    assert bodies() == before


def test_a_relation_that_was_clipped_when_it_was_written_is_not_widened(old: Database) -> None:
    finish(old)
    clipped = t.index_relation.c.holder == HARBOR
    with old.write() as connection:
        connection.execute(t.index_relation.delete().where(clipped))
    before = rights(old)
    number = _again(old)
    work = work_of(old)
    while work.step(number):
        pass
    assert rights(old) == before


def test_labels_that_rose_stay_and_new_codes_raise_them(old: Database) -> None:
    finish(old)
    plain = (t.resource.c.type == "Observation", t.resource.c.id == "plain")
    with old.write() as connection:
        connection.execute(t.resource.update().where(*plain).values(labels=BITS["SDV"]))
    _again(old)
    finish(old)
    with old.read() as connection:
        assert connection.execute(select(t.resource.c.labels).where(*plain)).scalar_one() & BITS["SDV"]


def _again(database: Database) -> int:
    from hub import reindex

    return database.writing(lambda c: reindex.everything(c, clock.micros(clock.now())))


def test_the_owner_of_a_subscription_stays_its_owner(old: Database) -> None:
    """Its counter alone tells who that is."""
    with old.write() as connection:
        body = {"resourceType": "Subscription", "id": "s", "status": "active", "criteria": "x", "channel": {}}
        row = {"rid": 900, "type": "Subscription", "id": "s", "version": 1, "last_updated": 1, "deleted": False}
        where = {"address": address("Subscription", "s"), "body": json.write(body)}
        connection.execute(insert(t.resource).values(row | where))
        connection.execute(insert(t.subscription_counter).values(subscription="s", owner="lantern", events=0))
    finish(old)
    with old.read() as connection:
        holders = select(t.index_relation.c.holder).where(t.index_relation.c.rid == 900)
        assert list(connection.execute(holders).scalars()) == [key("client", "lantern")]
