"""THE predicate on every path that lists: what is hidden for one reason each is not there, what is visible is."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import StatementError

from hub import clock
from hub.rights.labels import ALL_BITS, HIV, PSYTHPN
from hub.search.edges import address
from hub.sight import COVERAGE, GRANTED, NOBODY, OWNED, PANEL, PROXY, SEVERAL, UNKNOWN, Sight
from hub.store import exact, order, panel
from hub.store.engine import Database, driver
from hub.store.sight import condition, covers, named, seen
from hub.store.tables import index_consent, index_patient, index_relation, resource
from tests.hub.asking import BASE, Api
from tests.hub.consenting import made
from tests.hub.sighted import HARBOR, NOW, absent, same, sight
from tests.hub.sighted_world import CASES, CODE, HIDDEN, MISSING, SHARED, VISIBLE, around, there_for, world

CANARY = f"{CODE}|canary"
FAR = 2**62


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def there(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The world, stored once: nothing here changes it."""
    if request.param == "sqlite":
        template = request.getfixturevalue("migrated_sqlite")
        url = f"sqlite:///{shutil.copy(template, tmp_path_factory.mktemp('sighted') / 'hub.db')}"
    else:
        url = request.getfixturevalue("postgresql").create_database("sighted_tests", "migrated")
    database = Database(url, pool_size=4)
    api = world(database)
    around(api)
    yield api
    database.close()


@pytest.fixture(params=["panel drives", "panel is large"])
def driven(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "SMALL", 500 if request.param == "panel drives" else 0)


def entries(api: Api, path: str) -> list[dict[str, Any]]:
    """Of all pages."""
    found: list[dict[str, Any]] = []
    while path:
        answer = api.get(path)
        assert answer.status_code == 200, answer.text
        found += answer.json.get("entry", [])
        links = {link["relation"]: link["url"] for link in answer.json["link"]}
        path = links.get("next", "").removeprefix(BASE)
    return found


def revealed(api: Api, path: str, kind: str = "Observation", prefix: str = "") -> set[str]:
    ids = [e["resource"]["id"] for e in entries(api, path) if e["resource"]["resourceType"] == kind]
    return {each.removeprefix(prefix) for each in ids if each.startswith(prefix)}


# the Observations themselves
LISTED = {
    "search unkeyed": "/Observation?_count=50",
    "search unkeyed, in pages": "/Observation?_count=2",
    "search by one key": f"/Observation?code={CANARY}&_count=3",
    "search by two keys": f"/Observation?code={CANARY}&status=final",
    "search by a shared identifier": f"/Observation?identifier={SHARED}|all&_count=2",
    "search by a key and no key": f"/Observation?code={CANARY}&_lastUpdated=gt2000-01-01",
    "search by an exclusion": "/Observation?status:not=amended",
    "search by a list of keys": "/Observation?encounter=" + ",".join(f"Encounter/e-{name}" for name in CASES),
    "search by no value": "/Observation?method:missing=true",
    "search of several types": "/?_type=Observation,Encounter&_count=7",
    "_list": "/Observation?_list=listed",
    "_filter": f"/Observation?_filter=code eq {CANARY}",
    "_filter with a chain": "/Observation?_filter=performer.active pr false or status eq final",
    "_include": "/DiagnosticReport?_id=whole&_include=DiagnosticReport:result",
    "_include of anything": "/DiagnosticReport?_id=whole&_include=*",
    "_revinclude": "/Practitioner?_revinclude=Observation:performer",
    "_revinclude of each": "/Encounter?_revinclude=Observation:encounter&_count=50",
    ":iterate": "/List?_include=List:item&_include:iterate=DiagnosticReport:result",
    "_revinclude:iterate": (
        "/Location?_revinclude=Encounter:location&_revinclude:iterate=Observation:encounter&_count=50"
    ),
    "compartment of a Practitioner": "/Practitioner/dr/Observation",
    "compartment of a Practitioner, all types": "/Practitioner/dr/*?_count=50",
    "history of the type": "/Observation/_history?_count=3",
    "history of the system": "/_history?_count=50",
}
SORTS = ["date", "-date", "_lastUpdated", "-_lastUpdated", "_id", "-_id", "value-quantity", "-value-quantity"]
SORTED = {f"_sort={key}": f"/Observation?_sort={key}&_count=2" for key in SORTS} | {
    f"_sort={key} by a key": f"/Observation?identifier={SHARED}|all&_sort={key}&_count=2" for key in SORTS
}

# what refers to them: name: (path, type, prefix)
TOLD = {
    "chain": (f"/DiagnosticReport?result.code={CANARY}", "DiagnosticReport", "d-"),
    "chain with a type": (f"/Procedure?reason-reference:Observation.code={CANARY}", "Procedure", "p-"),
    "chain without a type": (f"/Procedure?reason-reference.code={CANARY}", "Procedure", "p-"),
    "chain of two steps": (
        f"/Procedure?part-of:Procedure.reason-reference:Observation.code={CANARY}", "Procedure", "q-",
    ),
    "chain by a name": (f"/DiagnosticReport?result.identifier={SHARED}|all", "DiagnosticReport", "d-"),
    "chain by id": ("/DiagnosticReport?result._id=" + ",".join(CASES), "DiagnosticReport", "d-"),
    "chain by time": ("/DiagnosticReport?result._lastUpdated=gt2000-01-01", "DiagnosticReport", "d-"),
    "chain by an exclusion": ("/DiagnosticReport?result.status:not=amended", "DiagnosticReport", "d-"),
    "chain by what is missing": ("/DiagnosticReport?result.method:missing=true", "DiagnosticReport", "d-"),
    "chain sorted": (f"/DiagnosticReport?result.code={CANARY}&_sort=_id", "DiagnosticReport", "d-"),
    "_has": (f"/Encounter?_has:Observation:encounter:code={CANARY}", "Encounter", "e-"),
    "_has nested": (
        f"/Location?_has:Encounter:location:_has:Observation:encounter:code={CANARY}", "Location", "l-",
    ),
    "_has by an exclusion": ("/Encounter?_has:Observation:encounter:status:not=amended", "Encounter", "e-"),
    "_filter over a chain": (f"/DiagnosticReport?_filter=result.code eq {CANARY}", "DiagnosticReport", "d-"),
    "included with a chain": (
        f"/DiagnosticReport?result.code={CANARY}&_include=DiagnosticReport:patient", "DiagnosticReport", "d-",
    ),
}  # fmt: skip

# what says that none is there: so hidden is like missing
DENIED = {
    ":not over a chain": (f"/DiagnosticReport?_filter=not (result.code eq {CANARY})", "DiagnosticReport", "d-"),
}


@pytest.mark.parametrize("who", ["harbor", "narrow"])
@pytest.mark.parametrize("path", LISTED.values(), ids=LISTED)
@pytest.mark.usefixtures("driven")
def test_what_is_listed_is_what_may_be_seen(there: Api, who: str, path: str) -> None:
    assert revealed(there.as_(who), path) == there_for(who)


@pytest.mark.parametrize("who", ["harbor", "narrow"])
@pytest.mark.parametrize("way", ["few", "walked"])
@pytest.mark.parametrize("path", SORTED.values(), ids=SORTED)
@pytest.mark.usefixtures("driven")
def test_what_is_sorted_is_what_may_be_seen(
    there: Api, who: str, way: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "walked":
        monkeypatch.setattr(order, "FEW", 1)
        monkeypatch.setattr(order, "LITTLE", 1)
    assert revealed(there.as_(who), path) == there_for(who)


@pytest.mark.parametrize("who", ["harbor", "narrow"])
@pytest.mark.parametrize(("path", "kind", "prefix"), TOLD.values(), ids=TOLD)
@pytest.mark.usefixtures("driven")
def test_what_is_found_by_another_is_found_by_what_may_be_seen(
    there: Api, who: str, path: str, kind: str, prefix: str
) -> None:
    assert revealed(there.as_(who), path, kind, prefix) == there_for(who)


@pytest.mark.parametrize("who", ["harbor", "narrow"])
@pytest.mark.parametrize(("path", "kind", "prefix"), DENIED.values(), ids=DENIED)
@pytest.mark.usefixtures("driven")
def test_what_is_found_by_the_lack_of_another_takes_hidden_for_missing(
    there: Api, who: str, path: str, kind: str, prefix: str
) -> None:
    assert revealed(there.as_(who), path, kind, prefix) == {*CASES, MISSING} - there_for(who)


def test_exact_text_behind_a_chain_is_asked_of_what_may_be_seen(there: Api) -> None:
    with_text = {name for place, name in enumerate(CASES) if place % 2 == 0}
    for path, expected in (
        ("/DiagnosticReport?result.value-string:exact=Canary", with_text & set(VISIBLE)),
        ("/DiagnosticReport?result.value-string:exact=canary", set()),
    ):
        assert revealed(there.as_("harbor"), path, "DiagnosticReport", "d-") == expected
    assert with_text & set(HIDDEN)


def test_a_text_is_not_too_costly_for_what_is_hidden(there: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the limit is met, that would count what others have."""
    with_text = [name for place, name in enumerate(CASES) if place % 2 == 0]
    monkeypatch.setattr(exact, "MOST", len([name for name in with_text if name in VISIBLE]))
    path = "/DiagnosticReport?result.value-string:exact=Canary"
    assert there.as_("harbor").get(path).status_code == 200
    assert there.get(path).status_code == 400


def test_how_many_are_to_be_sorted_is_counted_of_what_may_be_seen(
    there: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many are refused: what is hidden must not be among them."""
    monkeypatch.setattr(order, "FEW", len(there_for("harbor")))
    path = f"/Observation?code={CANARY}&_sort=status,date"
    assert there.as_("harbor").get(path).status_code == 200
    assert there.get(path).status_code == 400


COUNTS = {
    "_total=accurate": "&_total=accurate",
    "_summary=count": "&_summary=count",
    "_count=0": "&_count=0&_total=accurate",
}
COUNTED = [f"code={CANARY}", "status:not=amended", f"identifier={SHARED}|all", f"_filter=code eq {CANARY}"]


@pytest.mark.parametrize("who", ["harbor", "narrow"])
@pytest.mark.parametrize("ask", COUNTS.values(), ids=COUNTS)
@pytest.mark.parametrize("criterion", COUNTED)
@pytest.mark.usefixtures("driven")
def test_a_total_counts_what_may_be_seen(there: Api, who: str, ask: str, criterion: str) -> None:
    assert there.as_(who).get(f"/Observation?{criterion}{ask}").json["total"] == len(there_for(who))


def test_a_total_by_exact_text_counts_what_may_be_seen(there: Api) -> None:
    expected = [name for place, name in enumerate(CASES) if place % 2 == 0 and name in VISIBLE]
    answer = there.as_("harbor").get("/Observation?value-string:exact=Canary&_summary=count")
    assert answer.json["total"] == len(expected)


def of(name: str) -> set[str]:
    """The visible ones that are about this patient."""
    return {each for each in VISIBLE if name in CASES[each][0]}


@pytest.mark.parametrize(
    "path", ["/Patient/seen/Observation", "/Patient/seen/*?_count=50", "/Patient/seen/$everything"]
)
@pytest.mark.usefixtures("driven")
def test_a_patients_record_is_what_may_be_seen_of_it(there: Api, path: str) -> None:
    # what is nobody's comes along where it is referred to, and is Harbor's own
    along = {"own-nobodys"} if path.endswith("$everything") else set()
    assert revealed(there.as_("harbor"), path) == of("seen") | along


def test_documents_are_those_that_may_be_seen(there: Api) -> None:
    for name in ("seen", "agreed"):
        path = f"/DocumentReference/$docref?patient={name}"
        # the label of own-hiv's document is not Harbor's own: the county wrote it
        expected = of(name) - {"own-hiv"}
        assert revealed(there.as_("harbor"), path, "DocumentReference", "doc-") == expected


@pytest.mark.parametrize("name", VISIBLE)
def test_what_may_be_seen_is_read(there: Api, name: str) -> None:
    api = there.as_("harbor")
    for path in ("", "/_history/1", "/_history", "/$meta"):
        assert api.get(f"/Observation/{name}{path}").status_code == 200


def test_a_group_is_found_by_those_of_its_members_that_may_be_seen(there: Api) -> None:
    for who, expected in (("seen", {"panel"}), ("ended", set()), ("later", set()), ("stranger", set())):
        for path in (f"/Patient/{who}/Group", f"/Patient/{who}/*?_count=50"):
            assert revealed(there.as_("harbor"), path, "Group") == expected, path
            assert "panel" in revealed(there, f"/Patient/{'seen'}/Group", "Group")


PAIRS = {
    "_list": "/Observation?_list={}",
    "compartment": "/Patient/{}/Observation",
    "compartment, all types": "/Patient/{}/*",
    "by patient": "/Observation?patient={}",
    "by patient, sorted": "/Observation?patient={}&_sort=date",
    "by patient, counted": "/Observation?patient={}&_summary=count",
    "$everything": "/Patient/{}/$everything",
    "$docref": "/DocumentReference/$docref?patient={}",
}


@pytest.mark.parametrize("path", PAIRS.values(), ids=PAIRS)
def test_what_a_hidden_patient_or_list_holds_is_answered_as_of_a_missing_one(there: Api, path: str) -> None:
    for hidden in ("stranger", "ended", "later", "hidden-list"):
        same(
            *(there.as_("harbor").get(path.format(name)) for name in (hidden, absent(hidden))),
            hidden,
            absent(hidden),
        )


def test_a_transaction_reads_what_may_be_seen(there: Api) -> None:
    """A batch: a transaction fails as a whole."""
    gets = [{"request": {"method": "GET", "url": f"Observation/{name}"}} for name in CASES]
    answer = there.as_("harbor").bundle("batch", *gets)
    told = {name: e["response"]["status"][:3] for name, e in zip(CASES, answer.json["entry"], strict=True)}
    assert told == {name: "200" if name in VISIBLE else "404" for name in CASES}
    for name in HIDDEN:
        refusal = there.as_("harbor").bundle(
            "transaction", {"request": {"method": "GET", "url": f"Observation/{name}"}}
        )
        gone = there.as_("harbor").bundle(
            "transaction", {"request": {"method": "GET", "url": f"Observation/{absent(name)}"}}
        )
        same(refusal, gone, name, absent(name))
    found = there.as_("harbor").bundle(
        "transaction", {"request": {"method": "GET", "url": "Observation?_count=50"}}
    )
    assert {e["resource"]["id"] for e in found.json["entry"][0]["resource"]["entry"]} == set(VISIBLE)


# the predicate itself

MINE, THEIRS = address("Patient", "mine"), address("Patient", "theirs")
NOW_MICROS = clock.micros(NOW)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A clock that can be set."""
    at = [NOW]
    monkeypatch.setattr("hub.clock.now", lambda: at[0])
    return at


@pytest.fixture
def bare(database: Database) -> Iterator[Any]:
    """A connection whose rows are rolled back."""
    with database.read() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def test_a_statement_that_was_not_told_who_asks_fails(bare: Any) -> None:
    with pytest.raises(StatementError, match="sight_"):
        bare.execute(select(resource.c.rid).where(seen(resource, Sight(holders=(7,), kinds=PANEL))))


def both(connection: Any, sees: Sight) -> set[int]:
    """What is there, by SQLAlchemy's statement and by the driver's, which agree."""
    one = set(connection.execute(select(resource.c.rid).where(seen(resource, sees)), named(sees)).scalars())
    also, values = condition(connection, sees, "r")
    rows = driver(connection).execute(f"SELECT r.rid FROM resource r WHERE 1 = 1{also}", tuple(values)).fetchall()
    assert {row[0] for row in rows} == one
    return one


def relate(connection: Any, patient: int, holder: int, kind: int, low: int = -FAR, high: int = FAR) -> None:
    row = {"rid": 1, "patient": patient, "holder": holder, "kind": kind, "low": low, "high": high}
    connection.execute(index_relation.insert().values(row))


def test_a_relation_holds_from_its_first_microsecond_to_before_its_last(bare: Any, still: list[Any]) -> None:
    made(bare, 7, "Observation", "o", MINE, 0)
    relate(bare, MINE, HARBOR, PANEL, NOW_MICROS, NOW_MICROS + 10)
    sees = sight(guarded=0, never=0)
    for micros, there_ in ((-1, False), (0, True), (9, True), (10, False)):
        still[0] = NOW + timedelta(microseconds=micros)
        assert both(bare, sees) == ({7} if there_ else set()), micros
        assert covers(bare, sees, [MINE]) is there_


RELATIONS = {
    "the holder's own": (HARBOR, PANEL, True),
    "of another holder": (HARBOR + 1, PANEL, False),
    "of a kind that does not count": (HARBOR, COVERAGE, False),
    "of one's own things": (HARBOR, OWNED, True),
    "by broken glass": (HARBOR, GRANTED, True),
}


@pytest.mark.parametrize(("holder", "kind", "opens"), RELATIONS.values(), ids=RELATIONS)
def test_a_relation_opens_for_its_holder_by_its_kind(bare: Any, holder: int, kind: int, opens: bool) -> None:
    made(bare, 7, "Observation", "o", MINE, 0)
    relate(bare, MINE, holder, kind)
    assert both(bare, sight()) == ({7} if opens else set())


def test_a_launch_is_about_one_patient_with_whom_there_is_a_relation(bare: Any) -> None:
    for rid, of_ in ((7, MINE), (8, THEIRS), (9, NOBODY)):
        made(bare, rid, "Observation", f"o{rid}", of_, 0)
    relate(bare, MINE, HARBOR, PANEL)
    relate(bare, THEIRS, HARBOR, PANEL)
    assert both(bare, sight()) == {7, 8, 9}
    assert both(bare, sight(patient=MINE)) == {7, 9}
    assert both(bare, sight(patient=MINE, holders=())) == {9}
    assert [covers(bare, sight(patient=MINE), [each]) for each in (MINE, THEIRS)] == [True, False]
    assert both(bare, sight(patient=MINE, holders=(), self_only=True)) == {7, 9}
    assert both(bare, sight(holders=(), self_only=True)) == {9}


def test_a_launch_shows_nothing_of_unknown_patients_not_even_ones_own(bare: Any) -> None:
    """What the organization brought and nobody can tell whose it is may be anybody's."""
    for rid, labels in ((7, 0), (8, HIV)):
        made(bare, rid, "Binary", f"o{rid}", UNKNOWN, labels)
    bare.execute(resource.update().values(source=HARBOR))
    relate(bare, MINE, HARBOR, PANEL)
    assert both(bare, sight()) == {7, 8}
    assert both(bare, sight(patient=MINE)) == set()
    assert both(bare, sight(patient=MINE, self_only=True)) == set()


def test_broken_glass_opens_what_is_guarded_and_not_what_is_never_seen(bare: Any, still: list[Any]) -> None:
    for rid, labels in ((7, 0), (8, HIV), (9, PSYTHPN), (10, HIV | PSYTHPN)):
        made(bare, rid, "Observation", f"o{rid}", MINE, labels)
    relate(bare, MINE, HARBOR, PANEL)
    assert both(bare, sight()) == {7}
    relate(bare, MINE, HARBOR, GRANTED, NOW_MICROS - 5, NOW_MICROS + 5)
    assert both(bare, sight()) == {7, 8}
    assert both(bare, sight(holders=(HARBOR + 1,))) == set()
    still[0] = NOW + timedelta(microseconds=5)
    assert both(bare, sight()) == {7}


def test_glass_broken_for_one_patient_opens_nothing_of_another(bare: Any) -> None:
    made(bare, 8, "Observation", "o8", THEIRS, HIV)
    relate(bare, THEIRS, HARBOR, PANEL)
    relate(bare, MINE, HARBOR, GRANTED)
    assert both(bare, sight()) == set()


def test_what_nobody_said_anything_of_is_seen_by_nobody(bare: Any) -> None:
    made(bare, 7, "Observation", "o7", UNKNOWN, 0)
    made(bare, 8, "Observation", "o8", MINE, 0)
    assert both(bare, Sight()) == set()
    assert both(bare, Sight(everything=True)) == {7, 8}


def test_all_patients_still_are_asked_for_labels(bare: Any) -> None:
    made(bare, 7, "Observation", "o7", MINE, 0)
    made(bare, 8, "Observation", "o8", MINE, HIV)
    assert both(bare, sight(all_patients=True, holders=())) == {7}


def test_more_holders_than_the_statement_has_room_for_are_an_error_and_not_cut_off(bare: Any) -> None:
    for parts in ({"holders": tuple(range(5))}, {"recipients": tuple(range(7))}):
        with pytest.raises(ValueError, match="room"):
            both(bare, sight(**parts))


def _random_rows(connection: Any, dice: random.Random) -> None:
    people = [MINE, THEIRS, address("Patient", "third")]
    for rid in range(100, 150):
        of_ = dice.choice([*people, *people, NOBODY, SEVERAL, UNKNOWN])
        labels = dice.choice([0, 0, HIV, PSYTHPN, dice.randrange(ALL_BITS + 1) & ALL_BITS])
        made(connection, rid, dice.choice(["Observation", "Task"]), f"o{rid}", of_, labels)
        connection.execute(
            resource.update().where(resource.c.rid == rid).values(source=dice.choice([0, HARBOR, 9]))
        )
        if of_ == SEVERAL:
            several = dice.sample(people, dice.randrange(1, 4))
            connection.execute(index_patient.insert(), [{"rid": rid, "patient": each} for each in several])
    for of_ in people:
        for _ in range(dice.randrange(4)):
            kind = dice.choice([PANEL, COVERAGE, PROXY, GRANTED, OWNED])
            low, high = sorted(NOW_MICROS + dice.randrange(-5, 6) for _ in range(2))
            connection.execute(delete(index_relation).where(index_relation.c.patient == of_))
            relate(connection, of_, dice.choice([HARBOR, 9]), kind, low, high)
        for place in range(dice.randrange(4)):
            _consent_row(connection, dice, of_, place)


def _consent_row(connection: Any, dice: random.Random, of_: int, place: int) -> None:
    row = {
        "rid": 90, "patient": of_, "recipient": dice.choice([HARBOR, 9]), "place": place,
        "permit": dice.random() < 0.7, "labels": dice.randrange(1, ALL_BITS + 1) & ALL_BITS,
        "purposes": dice.choice([1, 2]), "low": NOW_MICROS + dice.choice([-5, 5]),
        "high": NOW_MICROS + dice.choice([0, 9]), "signed": dice.randrange(3), "depth": dice.randrange(2),
        "proxy": dice.choice([0, 0, 9]), "medi_cal": dice.random() < 0.3,
    }  # fmt: skip
    connection.execute(index_consent.insert().values(row))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.usefixtures("still")
def test_both_writings_of_the_predicate_agree_on_random_rows(bare: Any, seed: int) -> None:
    dice = random.Random(seed)
    _random_rows(bare, dice)
    found = []
    for _ in range(12):
        sees = sight(
            all_patients=dice.random() < 0.2, self_only=dice.random() < 0.2, patient=dice.choice([0, 0, MINE]),
            holders=dice.choice([(), (HARBOR,), (HARBOR, 9)]), own=dice.choice([0, HARBOR]),
            guarded=dice.choice([0, HIV, ALL_BITS]), never=dice.choice([0, PSYTHPN]),
            narrowed=dice.choice([{}, {"Task": frozenset((5, 6))}]), kinds=dice.choice([PANEL, COVERAGE, 0]),
        )  # fmt: skip
        found.append(both(bare, sees))
        assert both(bare, replace(sees, guarded=ALL_BITS, never=ALL_BITS)) <= found[-1]
    assert len(set(map(frozenset, found))) > 1
