"""Exits that answer about one resource: asked for each chart, about one of its resources in turn."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from werkzeug.test import TestResponse

from tests.matrix.asker import BY_NAME, Ask, Asker, Charts, Evidence, grouped, listed
from tests.matrix.canaries import canaries, canary, identity
from tests.matrix.charts import KINDS, SYSTEM, Chart, Kind
from tests.matrix.judge import elements_of
from tests.matrix.people import asked_for, on_a_card
from tests.matrix.world import World


def _ids(kind: Kind, chart: Chart) -> str:
    return f"/{kind.type}/{identity(kind.short, chart.number)}"


def read(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for chart, kind in _rotated(charts, 0):
        answer = ask.ask("E01", "GET", _ids(kind, chart))
        yield _one("E01", chart, kind, answer.data)


def vread(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for chart, kind in _rotated(charts, 3):
        yield _one("E02", chart, kind, ask.ask("E02", "GET", f"{_ids(kind, chart)}/_history/1").data)


def history_instance(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for chart, kind in _rotated(charts, 5):
        yield _one("E03", chart, kind, ask.ask("E03", "GET", f"{_ids(kind, chart)}/_history").data)


def search_post(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    for chart, kind in _rotated(charts, 7):
        if kind.short in ("lst", "prv"):  # without an identifier
            continue
        value = canary(kind.short, chart.number, "value")
        answer = ask.ask("E06", "POST", f"/{kind.type}/_search", f"identifier={SYSTEM}|{value}", **form)
        expected = elements_of(kind.short) - {"value"}
        yield Evidence("E06", chart.number, kind.short, _seen(answer.data, kind, chart) - {"value"}, expected)


def chain(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for chart in charts:
        value = canary("cp", chart.number, "value")
        answer = ask.ask("E09", "GET", f"/Task?focus:CarePlan.identifier={SYSTEM}%7C{value}")
        yield Evidence("E09", chart.number, "cp", bool(_entries(answer)))


def counts(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for chart in charts:
        for asked in ("_summary=count", "_total=accurate&_count=0", "_total=estimate&_count=0"):
            path = f"/Condition?subject=Patient/{identity('pat', chart.number)}&{asked}"
            answer = ask.ask("E11", "GET", path)
            total = answer.json.get("total", 0) if answer.status_code == 200 else 0
            yield Evidence("E11", chart.number, "cond", bool(total))


def everything(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for chart in charts:
        path = f"/Patient/{identity('pat', chart.number)}/$everything?_count=200"
        leaving = ask.pages("E15", path)
        yield from listed("E15", leaving, [chart], KINDS)


def match(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    """By all that is true of the person: whoever may not see it learns nothing."""
    for chart in charts:
        answer = ask.ask("E16", "POST", "/Patient/$match", asked_for(chart))
        yield _one("E16", chart, BY_NAME["pat"], answer.data)
        certain = ask.ask("E16", "POST", "/Patient/$match", asked_for(chart, certain=True))
        yield Evidence("E16", chart.number, "pat", bool(_entries(certain)))


def member_match(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    """By a card: the number that was sent, and an id, no more. Many cards belong to nobody."""
    for chart in charts:
        answer = ask.ask("E16", "POST", "/Patient/$member-match", on_a_card(chart))
        sent = canary("cov", chart.number, "subscriber").encode()
        ask.left["E16"][-1] = ask.left["E16"][-1].replace(sent, b"")
        parts = [part["name"] for part in answer.json.get("parameter", ())]
        assert answer.status_code in (200, 401, 403, 422), answer.text
        assert parts in ([], ["MemberIdentifier", "MemberId"])
        yield Evidence("E16", chart.number, "pat", _seen(answer.data, BY_NAME["pat"], chart), firm=False)


def validate(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for chart, kind in _rotated(charts, 2):
        answer = ask.ask("E17", "GET", f"{_ids(kind, chart)}/$validate")
        yield Evidence("E17", chart.number, kind.short, answer.status_code == 200)


def patch(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    """A patch that only tests changes nothing."""
    json_patch = {"Content_Type": "application/json-patch+json", "Prefer": "return=representation"}
    for chart, kind in _rotated(charts, 4):
        tested = [{"op": "test", "path": "/resourceType", "value": kind.type}]
        answer = ask.ask("E19", "PATCH", _ids(kind, chart), json.dumps(tested), **json_patch)
        yield Evidence("E19", chart.number, kind.short, _seen(answer.data, kind, chart), firm=False)


def batch(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    rotated = list(_rotated(charts, 6))
    for begin in range(0, len(rotated), 20):
        some = rotated[begin : begin + 20]
        entries = [{"request": {"method": "GET", "url": _ids(kind, chart)[1:]}} for chart, kind in some]
        answer = ask.ask("E20", "POST", "/", {"resourceType": "Bundle", "type": "batch", "entry": entries})
        for chart, kind in some:
            yield _one("E20", chart, kind, answer.data)


def _read_as(exit_: str, short: str) -> Ask:
    def asked(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
        kind = BY_NAME[short]
        for chart in charts:
            yield _one(exit_, chart, kind, ask.ask(exit_, "GET", _ids(kind, chart)).data)

    return asked


def errors(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    """Wrong requests about a resource: no answer may tell what is in it. Whether it is there, other exits judge."""
    for chart, kind in _rotated(charts, 8):
        where = _ids(kind, chart)
        ask.ask("E34", "GET", f"{where}/_history/99")
        ask.ask("E34", "GET", f"{where}/_history?_count=x")
        ask.ask("E34", "GET", f"{where}?_format=yaml")
        ask.ask("E34", "PUT", where, {"resourceType": kind.type, "id": "another"})
        ask.ask("E34", "PUT", where, "{", If_Match='W/"99"')
        ask.ask("E34", "GET", f"/{kind.type}?no-such-parameter={where}")
        yield Evidence("E34", chart.number, kind.short, frozenset(), firm=False)


def headers(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for chart, kind in _rotated(charts, 9):
        answer = ask.ask("E35", "HEAD" if chart.number % 2 else "GET", _ids(kind, chart))
        told = any(name in answer.headers for name in ("ETag", "Last-Modified", "Location", "Content-Location"))
        yield Evidence("E35", chart.number, kind.short, told)


def unchanged(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    for chart, kind in _rotated(charts, 10):
        answer = ask.ask("E36", "GET", _ids(kind, chart), If_None_Match='W/"1"')
        yield Evidence("E36", chart.number, kind.short, answer.status_code == 304)


def conditional(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    """Creates where nothing is found: to be asked of a copy of the world, last."""
    for chart in charts:
        for short in ("task", "ptr"):
            made = {"resourceType": "Task", "status": "draft", "intent": "order"}
            value = canary(short, chart.number, "value")
            answer = ask.ask("E18", "POST", "/Task", made, If_None_Exist=f"identifier={SYSTEM}|{value}")
            yield Evidence("E18", chart.number, short, answer.status_code == 200, firm=answer.status_code == 201)


def newest(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    """Few matches in the order of their times."""
    for chart in charts:
        path = f"/Condition?subject=Patient/{identity('pat', chart.number)}&_sort=-_lastUpdated"
        yield _one("E14", chart, BY_NAME["cond"], ask.ask("E14", "GET", path).data)


def chain_beside(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    """A chain that is asked of what something else found."""
    for chart in charts:
        value = canary("ptr", chart.number, "value")
        answer = ask.ask("E09", "GET", f"/Task?identifier={SYSTEM}%7C{value}&focus:CarePlan.status=active")
        yield Evidence("E09", chart.number, "cp", bool(_entries(answer)))


def exact(ask: Asker, world: World, charts: Charts) -> Iterator[Evidence]:
    """Matches that the index alone does not decide, beyond a chain."""
    for chart in charts:
        path = f"/Condition?subject:Patient.family:exact={canary('pat', chart.number, 'family')}"
        yield Evidence("E09", chart.number, "cond", bool(_entries(ask.ask("E09", "GET", path))))


def _rotated(charts: Charts, turn: int) -> Iterator[tuple[Chart, Kind]]:
    """Each chart with one of its resources: over the exits and charts, all of them."""
    for place, chart in enumerate(charts):
        yield chart, KINDS[(place + turn) % len(KINDS)]


def _one(exit_: str, chart: Chart, kind: Kind, data: bytes) -> Evidence:
    return Evidence(exit_, chart.number, kind.short, _seen(data, kind, chart))


def _seen(data: bytes, kind: Kind, chart: Chart) -> frozenset[str]:
    return grouped(canaries(data)).get((chart.number, kind.short), frozenset())


def _entries(answer: TestResponse) -> list[Any]:
    return answer.json.get("entry", []) if answer.status_code == 200 else []


SINGLE: Mapping[str, Ask] = {
    "E01": read,
    "E02": vread,
    "E03": history_instance,
    "E06": search_post,
    "E09": chain,
    "E11": counts,
    "E09 beside": chain_beside,
    "E09 exact": exact,
    "E14": newest,
    "E15": everything,
    "E16": match,
    "E16 card": member_match,
    "E17": validate,
    "E19": patch,
    "E20": batch,
    "E29": _read_as("E29", "lst"),
    "E30": _read_as("E30", "doc"),
    "E31": _read_as("E31", "cond"),
    "E32": _read_as("E32", "prv"),
    "E34": errors,
    "E35": headers,
    "E36": unchanged,
}
WRITING: Mapping[str, Ask] = {"E18": conditional}
