"""Exits that list: each is asked over the whole world with a few requests, and answers for every chart."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.matrix.asker import BY_NAME, Ask, Asker, Charts, Evidence, grouped, listed
from tests.matrix.canaries import canaries, identity
from tests.matrix.charts import ICD10, KINDS, Kind
from tests.matrix.world import World

MANY = 500
TYPES = tuple(dict.fromkeys(kind.type for kind in KINDS))


def _of(type_: str) -> list[Kind]:
    return [kind for kind in KINDS if kind.type == type_]


def history_type(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for type_ in TYPES:
        yield from listed("E04", ask.pages("E04", f"/{type_}/_history?_count={MANY}"), world.every, _of(type_))


def history_system(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    yield from listed("E04", ask.pages("E04", f"/_history?_count={MANY}"), world.every, KINDS)


def search(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for type_ in TYPES:
        yield from listed("E05", ask.pages("E05", f"/{type_}?_count={MANY}"), world.every, _of(type_))


def include(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    leaving = ask.pages("E07", "/Task?status=draft&_include=Task:focus&_count=50")
    yield from listed("E07", leaving, world.every, [BY_NAME["cp"]])
    leaving = ask.pages("E07", "/Provenance?_include=Provenance:target&_count=50")
    yield from listed("E07", leaving, world.every, [BY_NAME["cond"]])


def revinclude(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    leaving = ask.pages("E08", "/Patient?_revinclude=Condition:subject&_count=50")
    yield from listed("E08", leaving, world.every, [BY_NAME["cond"]])
    leaving = ask.pages(
        "E08", "/Patient?_revinclude=Encounter:subject&_revinclude:iterate=Observation:encounter&_count=50"
    )
    yield from listed("E08", leaving, world.every, [BY_NAME["enc"], BY_NAME["obs"]])


def has(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    found: dict[tuple[int, str], frozenset[str]] = {}
    for code in ("F11.20", "E11.9"):
        leaving = ask.pages("E10", f"/Patient?_has:Condition:subject:code={ICD10}%7C{code}&_count={MANY}")
        found |= grouped(canaries(leaving))
    for chart in world.every:
        yield Evidence("E10", chart.number, "cond", (chart.number, "pat") in found)


def pages(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    yield from listed("E12", ask.pages("E12", "/Encounter?_count=17"), world.every, [BY_NAME["enc"]])


def shaped(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for asked, only in (
        ("_elements=code", frozenset(("code",))),
        ("_summary=text", frozenset(("div",))),
        ("_summary=data", frozenset(("code", "note", "value"))),
        ("_summary=true", frozenset(("code", "value"))),
    ):
        leaving = ask.pages("E13", f"/Condition?{asked}&_count={MANY}")
        yield from listed("E13", leaving, world.every, [BY_NAME["cond"]], only)
    leaving = ask.pages("E13", f"/Patient?_elements=name&_count={MANY}")
    yield from listed("E13", leaving, world.every, [BY_NAME["pat"]], frozenset(("family", "given")))


def order(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for by in ("code", "-_lastUpdated", "patient"):
        leaving = ask.pages("E14", f"/Condition?_sort={by}&_count=100")
        yield from listed("E14", leaving, world.every, [BY_NAME["cond"]])


def groups(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for number in world.groups:
        answer = ask.ask("E33", "GET", f"/Group/{identity('grp', number)}")
        seen = grouped(canaries(answer.data)).get((number, "grp"), frozenset())
        yield Evidence("E33", number, "grp", seen, frozenset(("name",)))
    total = ask.ask("E33", "GET", "/Group?_summary=count")
    if total.status_code == 200:
        listed = grouped(canaries(ask.pages("E33", "/Group?_count=50")))
        assert total.json["total"] == len(listed), "the count of Groups is not that of those shown"


def export(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    """People and apps of one patient export nothing; a patient's Binary is read, not exported."""
    for path in ("/$export", "/Patient/$export?_elements=id"):
        leaving = b"\n".join(data for _, data in exported(ask, path))
        only = frozenset[str]() if "_elements" in path else None
        for each in listed("E21", leaving, world.every, KINDS, only):
            yield each._replace(firm=ask.actor.policy != "member" and BY_NAME[each.short].type != "Binary")


def manifest(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    """It counts what its files hold, and tells nothing else."""
    for file, data in exported(ask, "/$export?_since=2000-01-01T00:00:00Z"):
        assert file["count"] == data.count(b"\n"), "a manifest counts other than what leaves"
    yield from ()


def exported(ask: Asker, path: str) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The files of an export, each as its manifest tells it."""
    kicked = ask.ask("E22", "GET", path, Prefer="respond-async")
    if kicked.status_code != 202:
        return
    job = kicked.headers["Content-Location"].partition("/fhir")[2]
    while ask.app.extensions["bulk"].bulk():
        pass
    told = ask.ask("E22", "GET", job).json
    for kind in ("output", "deleted", "error"):
        for file in told.get(kind, ()):
            yield file, ask.ask("E21", "GET", file["url"].partition("/fhir")[2]).data


LISTS: Mapping[str, Ask] = {
    "E04 type": history_type,
    "E04 system": history_system,
    "E05": search,
    "E07": include,
    "E08": revinclude,
    "E10": has,
    "E12": pages,
    "E13": shaped,
    "E14": order,
    "E21": export,
    "E22": manifest,
    "E33": groups,
}
