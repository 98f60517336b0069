"""How answers must hang together, whatever the policy is: a permit only adds, a revocation only takes away,
narrower scopes give a part, pages give the whole, and what was hidden once stays so."""

import itertools
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from auth.tokens import token_hash
from hub import clock
from hub.store import tables
from hub.store.engine import Database
from tests.matrix import consents
from tests.matrix.asker import Asker, grouped, next_page
from tests.matrix.callers import HOUR, application, askers, register
from tests.matrix.canaries import canaries, identity
from tests.matrix.charts import BY_SHORT, KINDS, Chart, resource
from tests.matrix.world import REGISTRY, Writer, load

SEEN_BY = ("ehr", "county", "ecm", "ilos", "plan", "member", "custodian")
GUARDED = Chart(1, "assigned", "part2", "none")
REFERRED = Chart(2, "referred", "mixed", "none")
OPEN = Chart(3, "assigned", "none", "none")
PSY = Chart(4, "assigned", "psy", "none")
_numbers = itertools.count(1)


@dataclass
class Small:
    """A world of four patients that a test may change."""

    database: Database
    registry: Writer
    askers: dict[str, Asker]

    def write(self, *resources: dict[str, Any]) -> None:
        self.registry.write(resources)

    def seen(self, name: str, asked: str = "?_count=500") -> frozenset[tuple[int, str]]:
        """Which resources an actor sees by searching all types."""
        found: set[tuple[int, str]] = set()
        for type_ in dict.fromkeys(kind.type for kind in KINDS):
            found |= set(grouped(canaries(self.askers[name].pages("", f"/{type_}{asked}"))))
        return frozenset(found)

    def status(self, name: str, path: str) -> int:
        return self.askers[name].ask("", "GET", path).status_code


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Small]:
    if request.param == "sqlite":
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_sqlite'), tmp_path / 'hub.db')}"
    else:
        name = f"metamorphic_{next(_numbers)}"
        url = request.getfixturevalue("postgresql").create_database(name, "migrated")
    database = Database(url, pool_size=4)
    register(database, [GUARDED.number])
    load(database, [GUARDED, REFERRED, OPEN, PSY])
    every = {ask.actor.name: ask for ask in askers(application(database), [GUARDED.number])}
    yield Small(database, Writer(database, REGISTRY), every)
    database.close()


def permit(chart: Chart, **more: Any) -> dict[str, Any]:
    to = consents.to(*consents.ORGANIZATION)
    return consents.consent(chart, consents.provision("permit", consents.ALL, to), **more)


def test_a_permit_only_adds_and_its_revocation_takes_exactly_that_away(small: Small) -> None:
    before = {name: small.seen(name) for name in SEEN_BY}
    small.write(permit(GUARDED), permit(REFERRED))
    during = {name: small.seen(name) for name in SEEN_BY}
    assert all(before[name] <= during[name] for name in SEEN_BY)
    assert {name for name in SEEN_BY if before[name] < during[name]} >= {"ehr", "county", "ecm"}
    small.write(permit(GUARDED, status="inactive"), permit(REFERRED, status="inactive"))
    assert {name: small.seen(name) for name in SEEN_BY} == before


def test_a_later_denial_closes_what_a_permit_opened(small: Small) -> None:
    before = {name: small.seen(name) for name in SEEN_BY}
    small.write(permit(GUARDED))
    assert (1, "cond") in small.seen("ehr")
    denial = consents.provision("deny", consents.ALL, consents.to(*consents.ORGANIZATION))
    small.write(consents.consent(GUARDED, denial, 1, signed=-1))
    after = {name: small.seen(name) for name in SEEN_BY}
    assert all(after[name] <= before[name] for name in SEEN_BY)


def test_a_relation_that_ends_takes_the_patient_away(small: Small) -> None:
    assert (3, "pat") in small.seen("ecm")
    groups = {"resourceType": "Group", "type": "person", "actual": True}
    for place in range(9001, 9012):
        answer = small.askers["custodian"].ask("", "GET", f"/Group/{identity('grp', place)}")
        if answer.status_code == 200:
            kept = [m for m in answer.json["member"] if not m["entity"]["reference"].endswith(identity("pat", 3))]
            small.write(groups | {k: v for k, v in answer.json.items() if k != "meta"} | {"member": kept})
    assert not [found for found in small.seen("ecm") if found[0] == 3]
    assert small.status("ecm", f"/Patient/{identity('pat', 3)}") == 404


@pytest.mark.parametrize("scopes", ["system/Condition.rs", "system/Patient.r system/Observation.s", "system/*.r"])
def test_a_narrower_scope_sees_a_part(small: Small, scopes: str) -> None:
    for name in ("ehr", "ecm", "custodian"):
        narrow = _with_scopes(small, name, scopes)
        assert narrow.seen(name) <= small.seen(name)
        for kind in KINDS:
            path = f"/{kind.type}/{identity(kind.short, 3)}"
            assert narrow.status(name, path) in {200: (200, 403)}.get(small.status(name, path), (403, 404))


def _with_scopes(small: Small, name: str, scopes: str) -> Small:
    now, token = clock.micros(clock.now()), f"narrow-{name}".ljust(43, "y")
    row = {
        "hash": token_hash(token),
        "client": f"zw-{name}",
        "scopes": scopes,
        "issued": now,
        "expires": now + HOUR,
    }
    with small.database.write() as connection:
        connection.execute(insert(tables.token).values(row))
    return replace(small, askers=small.askers | {name: replace(small.askers[name], token=token, left={})})


@pytest.mark.parametrize("asked", ["?_count=1", "?_count=2&_sort=-_lastUpdated", "?_count=3&_sort=_id"])
def test_the_pages_together_are_the_whole(small: Small, asked: str) -> None:
    for name in SEEN_BY:
        assert small.seen(name, asked) == small.seen(name)


def test_a_page_link_behind_what_is_hidden_since_is_over(small: Small) -> None:
    """E12: where it stood would tell what it holds."""
    first = small.askers["ehr"].ask("", "GET", "/Condition?_sort=_id&_count=1")
    assert [entry["resource"]["id"] for entry in first.json["entry"]] == [identity("cond", 3)]
    assert small.status("ehr", next_page(first)) == 200
    labels = [{"system": consents.ACT_CODE, "code": "42CFRPart2"}]
    small.write(resource(OPEN, BY_SHORT["cond"]) | {"meta": {"security": labels}})
    assert small.status("ehr", next_page(first)) == 410


def test_a_search_for_ids_finds_what_reads_find(small: Small) -> None:
    for name in SEEN_BY:
        for kind in KINDS:
            ids = [identity(kind.short, number) for number in (1, 2, 3, 4)]
            read = {i for i in ids if small.status(name, f"/{kind.type}/{i}") == 200}
            answer = small.askers[name].ask("", "GET", f"/{kind.type}?_id={','.join(ids)}")
            found = answer.json.get("entry", []) if answer.status_code == 200 else []
            matches = {entry["resource"]["id"] for entry in found if entry["search"]["mode"] == "match"}
            assert matches == read, (name, kind.short)


def test_the_order_of_labels_does_not_matter(small: Small) -> None:
    made = resource(REFERRED, BY_SHORT["obs"])
    before = {name: small.seen(name) for name in SEEN_BY}
    made["meta"]["security"].reverse()
    small.write(made | {"valueString": made["valueString"]})
    assert {name: small.seen(name) for name in SEEN_BY} == before


def test_a_label_that_is_raised_reaches_back_over_the_history(small: Small) -> None:
    where = f"/Condition/{identity('cond', 3)}"
    plain = resource(OPEN, BY_SHORT["cond"])
    small.write(plain | {"meta": {"security": [{"system": consents.ACT_CODE, "code": "42CFRPart2"}]}})
    for path in (where, f"{where}/_history", f"{where}/_history/1", f"{where}/_history/2"):
        assert small.status("ecm", path) == 404
        assert small.status("custodian", path) == 404
    shown = small.askers["ecm"].pages("", "/Condition/_history?_count=100")
    assert (3, "cond") not in grouped(canaries(shown))


def test_a_label_is_not_taken_off_by_a_write_without_it(small: Small) -> None:
    made = resource(GUARDED, BY_SHORT["cond"])
    small.write({name: value for name, value in made.items() if name != "meta"})
    assert (1, "cond") not in small.seen("ehr")
    assert small.status("ehr", f"/Condition/{identity('cond', 1)}") == 404


def test_what_is_hidden_is_gone_without_a_trace_when_deleted(small: Small) -> None:
    """A deleted resource answers 410 only to those who could see it."""
    from hub.access import Access
    from hub.fhir.bundles import Entry

    for number, status in ((1, 404), (3, 410)):
        entry = Entry("DELETE", "Condition", id=identity("cond", number))
        small.registry._transactions.commit([entry], Access.system("the matrix", source=REGISTRY))
        assert small.status("ehr", f"/Condition/{identity('cond', number)}") == status
        history = {404: 404, 410: 200}[status]
        assert small.status("ehr", f"/Condition/{identity('cond', number)}/_history") == history


def test_a_client_cannot_write_the_consent_that_opens_its_own_access(small: Small) -> None:
    before = small.seen("ehr")
    given = permit(GUARDED)
    small.askers["ehr"].ask("", "PUT", f"/Consent/{given['id']}", json.dumps(given))
    small.askers["ehr"].ask("", "POST", "/Consent", json.dumps({k: v for k, v in given.items() if k != "id"}))
    assert small.seen("ehr") == before


def test_a_client_cannot_write_the_relation_that_opens_its_own_access(small: Small) -> None:
    never = Chart(5, "never", "none", "none")
    small.write(*(resource(never, kind) for kind in KINDS if kind.short != "own"))
    before = small.seen("ecm")
    group = {
        "resourceType": "Group",
        "type": "person",
        "actual": True,
        "managingEntity": {"reference": small.askers["ecm"].actor.organization},
        "member": [{"entity": never.patient}],
    }
    small.askers["ecm"].ask("", "POST", "/Group", json.dumps(group))
    assert small.seen("ecm") == before
