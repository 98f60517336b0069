"""SEC-42: what is hidden is answered as what is missing: status, headers and bytes, whatever is asked of it.

And A's cursors, ETags and conditions open nothing to B (SEC-40).
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from hub.store import order
from hub.store.engine import Database
from tests.hub.asking import BASE, Api, entry, observation
from tests.hub.sighted import absent, api_of, same, to
from tests.hub.sighted_world import HIDDEN, NAME, VISIBLE, callers, world

Ask = Callable[[Api, str], Any]
BODY = {"subject": {"reference": "Patient/seen"}}
PATCH = [{"op": "add", "path": "/status", "value": "amended"}]
JSON_PATCH = "application/json-patch+json"
META = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "x"}]}}]}


def body(name: str) -> dict[str, Any]:
    return observation(name, identifier=[{"system": NAME, "value": name}], **BODY)


def by_name(name: str) -> str:
    return f"/Observation?identifier={NAME}|{name}"


def a_note(reference: str) -> dict[str, Any]:
    return observation(subject=to("Patient", "seen"), hasMember=[{"reference": reference}])


ASKED: dict[str, Ask] = {
    "read": lambda api, name: api.get(f"/Observation/{name}"),
    "read, if none match": lambda api, name: api.get(f"/Observation/{name}", If_None_Match='W/"1"'),
    "read, if none match any": lambda api, name: api.get(f"/Observation/{name}", If_None_Match="*"),
    "read, if modified since": lambda api, name: api.get(
        f"/Observation/{name}", If_Modified_Since="Fri, 01 Jan 2100 00:00:00 GMT"
    ),
    "head": lambda api, name: api.ask("HEAD", f"/Observation/{name}"),
    "a part": lambda api, name: api.get(f"/Observation/{name}?_elements=code"),
    "vread": lambda api, name: api.get(f"/Observation/{name}/_history/1"),
    "vread of a later version": lambda api, name: api.get(f"/Observation/{name}/_history/2"),
    "history": lambda api, name: api.get(f"/Observation/{name}/_history"),
    "history, counted": lambda api, name: api.get(f"/Observation/{name}/_history?_count=0"),
    "update": lambda api, name: api.put(f"/Observation/{name}", body(name)),
    "update, if match": lambda api, name: api.put(f"/Observation/{name}", body(name), If_Match='W/"1"'),
    "update, about a stranger": lambda api, name: api.put(
        f"/Observation/{name}", observation(name, subject=to("Patient", "stranger"))
    ),
    "patch": lambda api, name: api.ask("PATCH", f"/Observation/{name}", PATCH, Content_Type=JSON_PATCH),
    "patch, if match": lambda api, name: api.ask(
        "PATCH", f"/Observation/{name}", PATCH, Content_Type=JSON_PATCH, If_Match='W/"1"'
    ),
    "delete": lambda api, name: api.delete(f"/Observation/{name}"),
    "delete, if match": lambda api, name: api.delete(f"/Observation/{name}", If_Match='W/"1"'),
    "$meta": lambda api, name: api.get(f"/Observation/{name}/$meta"),
    "$meta of a version": lambda api, name: api.get(f"/Observation/{name}/_history/1/$meta"),
    "$meta-add": lambda api, name: api.post(f"/Observation/{name}/$meta-add", META),
    "$meta-delete": lambda api, name: api.post(f"/Observation/{name}/$meta-delete", META),
    "$validate": lambda api, name: api.get(f"/Observation/{name}/$validate"),
    "$validate to delete": lambda api, name: api.get(f"/Observation/{name}/$validate?mode=delete"),
    "search by id": lambda api, name: api.get(f"/Observation?_id={name}"),
    "search by name": lambda api, name: api.get(by_name(name)),
    "conditional patch": lambda api, name: api.ask("PATCH", by_name(name), PATCH, Content_Type=JSON_PATCH),
    "conditional delete": lambda api, name: api.delete(by_name(name)),
    "conditional reference": lambda api, name: api.bundle(
        "transaction", entry("POST", "Observation", a_note(by_name(name)[1:]))
    ),
    "reference that must lead somewhere": lambda api, name: api.post("/Observation", a_note(f"Observation/{name}")),
    "the same in a transaction": lambda api, name: api.bundle(
        "transaction", entry("POST", "Observation", a_note(f"Observation/{name}"))
    ),
    "delete in a transaction": lambda api, name: api.bundle("transaction", entry("DELETE", f"Observation/{name}")),
    "update in a transaction": lambda api, name: api.bundle(
        "transaction", entry("PUT", f"Observation/{name}", body(name))
    ),
    "a batch": lambda api, name: api.bundle(
        "batch",
        entry("GET", f"Observation/{name}"),
        entry("DELETE", f"Observation/{name}"),
        entry("PUT", f"Observation/{name}", body(name)),
    ),
    "$everything": lambda api, name: api.get(f"/Observation/{name}/$everything"),
    "compartment": lambda api, name: api.get(f"/Observation/{name}/*"),
}


@pytest.fixture
def there(swept: Database) -> Api:
    """References must lead somewhere, as a setting may want it."""
    world(swept)
    return api_of(swept, callers(), integrity=True, deletes=5)


def rows(api: Api) -> dict[str, bytes]:
    """What is hidden, as it stands."""
    return {name: api.get(f"/Observation/{name}").data for name in HIDDEN}


def test_whatever_is_asked_of_what_is_hidden_is_answered_as_of_what_is_missing(there: Api) -> None:
    """References to what is missing are refused here, to see that those to what is hidden are, too."""
    before = rows(there)
    harbor = there.as_("harbor")
    for what, ask in ASKED.items():
        for name in HIDDEN:
            one, other = ask(harbor, name), ask(harbor, absent(name))
            try:
                same(one, other, name, absent(name))
            except AssertionError as error:
                raise AssertionError(f"{what} of {name}: {one.status_code} {one.text}\n{other.text}") from error
    assert rows(there) == before


def test_the_same_questions_find_what_may_be_seen(there: Api) -> None:
    """Else a hub that answers nobody would pass."""
    harbor = there.as_("harbor")
    told = {what: ask(harbor, "plain").status_code for what, ask in ASKED.items() if "delete" not in what}
    assert {what for what, status in told.items() if status >= 400} == {
        "vread of a later version", "update, if match", "update, about a stranger", "patch, if match",
        "$everything", "compartment",
    }  # fmt: skip


CONDITIONAL: dict[str, Ask] = {
    "create": lambda api, name: api.post(
        "/Observation", observation(**BODY), If_None_Exist=f"identifier={NAME}|{name}"
    ),
    "update": lambda api, name: api.put(by_name(name), observation(**BODY)),
}


@pytest.mark.parametrize("ask", CONDITIONAL.values(), ids=CONDITIONAL)
def test_a_condition_on_what_is_hidden_finds_nothing_and_so_creates(there: Api, ask: Ask) -> None:
    before = rows(there)
    harbor = there.as_("harbor")
    for name in HIDDEN:
        made, other = ask(harbor, name), ask(harbor, absent(name))
        assert made.status_code == other.status_code == 201, made.text
        assert sorted(dict(made.headers)) == sorted(dict(other.headers))
        assert len(made.data) == len(other.data)
    assert rows(there) == before
    assert ask(harbor, "plain").status_code == 200


def test_another_persons_record_as_a_whole_is_not_there(there: Api) -> None:
    harbor = there.as_("harbor")
    for name in ("stranger", "ended", "later"):
        for path in ("", "/$everything", "/_history", "/$meta", "/Observation"):
            one, other = (harbor.get(f"/Patient/{each}{path}") for each in (name, absent(name)))
            same(one, other, name, absent(name))
    assert harbor.get("/Patient/seen/$everything").status_code == 200


def test_what_was_given_to_one_client_opens_nothing_to_another(there: Api) -> None:
    """SEC-40: cursors, ETags and kept answers."""
    everything = there.as_("harbors")
    narrow = there.as_("narrow")
    for path in ("/Observation?_count=2", "/Observation/_history?_count=2", "/Patient/seen/$everything?_count=1"):
        links = everything.get(path).json["link"]
        following = next(link["url"] for link in links if link["relation"] == "next")
        answer = narrow.get(following.removeprefix(BASE))
        assert answer.status_code == 404, answer.text
    tag = everything.get("/Observation/vital").headers["ETag"]
    same(
        narrow.get("/Observation/vital", If_None_Match=tag),
        narrow.get(f"/Observation/{absent('vital')}", If_None_Match=tag),
        "vital",
        absent("vital"),
    )
    body = observation(subject=to("Patient", "seen"))
    first = there.as_("harbor").post("/Observation", body, Idempotency_Key="k")
    second = narrow.post("/Observation", body, Idempotency_Key="k")
    assert first.status_code == 201
    assert second.status_code == 403  # its own request, and its own scopes do not cover it


GONE: dict[str, Callable[[Api, str], Any]] = {
    "deleted": lambda api, name: api.delete(f"/Observation/{name}"),
    "hidden": lambda api, name: api.have(
        observation(name, subject=to("Patient", "stranger"), effectiveDateTime="2020-01-01")
    ),
}


@pytest.mark.parametrize("way", ["few", "walked"])
@pytest.mark.parametrize("go", GONE.values(), ids=GONE)
def test_a_page_that_ended_with_what_is_hidden_now_ended_with_what_is_gone(
    there: Api, go: Callable[[Api, str], Any], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "walked":
        monkeypatch.setattr(order, "FEW", 1)
        monkeypatch.setattr(order, "LITTLE", 1)
    harbor = there.as_("harbor")
    page = harbor.get("/Observation?_sort=date&_count=1").json
    following = next(link["url"] for link in page["link"] if link["relation"] == "next")
    go(there, page["entry"][0]["resource"]["id"])
    answer = harbor.get(following.removeprefix(BASE))
    if go is GONE["hidden"]:
        assert answer.status_code == 410, answer.text
    assert page["entry"][0]["resource"]["id"] not in answer.text


def test_nothing_is_kept_on_the_way(there: Api) -> None:
    answer = there.as_("harbor").get("/Observation/plain")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Authorization" in answer.headers["Vary"]


@pytest.mark.long
def test_hidden_and_missing_take_the_same_time(there: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """The difference is printed; what is asserted leaves room for a machine with other work."""
    harbor = there.as_("harbor")
    times: dict[str, list[float]] = {"hiv": [], absent("hiv"): []}
    for _ in range(300):
        for name, spent in times.items():
            begun = time.perf_counter()
            assert harbor.get(f"/Observation/{name}").status_code == 404
            spent.append(time.perf_counter() - begun)
    hidden, missing = (statistics.median(spent) for spent in times.values())
    with capsys.disabled():
        print(f"\nhidden {hidden * 1e6:.0f} us, missing {missing * 1e6:.0f} us: {hidden / missing - 1:+.1%}")
    assert abs(hidden / missing - 1) < 0.25


def test_the_world_has_a_name_for_each_reason() -> None:
    assert set(HIDDEN) & set(VISIBLE) == set()
    assert json.dumps(sorted(callers()))
