"""Wherever a resource names a Patient, a merge rewrites it, and taking the merge back puts back the same bytes."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from hub.fhir.reference_places import places, with_texts
from hub.identity.desk import Registry
from hub.members import movable
from hub.store.engine import Database
from hub.store.tables import history, resource
from tests.hub.asking import BASE, Api, observation, patient
from tests.hub.identity_world import contents, county, merged, registry_of, rights, unmerged
from tests.hub.notifications.conftest import wanted
from tests.hub.sighted import to
from tests.hub.smallest import smallest

ANNA = to("Patient", "anna")


def bundle(identity: str, *inner: dict[str, Any], kind: str = "collection", **more: Any) -> dict[str, Any]:
    entries = [{"fullUrl": f"{BASE}/{each['resourceType']}/{each['id']}", "resource": each} for each in inner]
    return {"resourceType": "Bundle", "id": identity, "type": kind, "entry": entries, **more}


def nested() -> dict[str, Any]:
    """Answers to answers, what is contained, an extension, and Parameters in what is contained."""
    inner = {"linkId": "2", "answer": [{"valueReference": ANNA}]}
    return smallest("QuestionnaireResponse", "q-anna") | {
        "status": "completed",
        "subject": ANNA,
        "contained": [
            {"resourceType": "Observation", "id": "in", **_without_id(observation("x", subject=ANNA))},
            {
                "resourceType": "Parameters",
                "id": "given",
                "parameter": [{"name": "a", "part": [{"name": "b", "valueReference": ANNA}]}],
            },
        ],
        "item": [
            {"linkId": "1", "answer": [{"valueReference": ANNA, "item": [inner]}]},
            {"linkId": "3", "item": [inner]},
            {"linkId": "4", "answer": [{"valueReference": {"reference": each}} for each in ("#in", "#given")]},
        ],
        "extension": [{"url": "http://example.org/about", "valueReference": ANNA}],
    }


def _without_id(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in ("id", "resourceType")}


def document() -> dict[str, Any]:
    composition = smallest("Composition", "c-anna") | {"subject": ANNA, "author": [ANNA]}
    absolute = observation("far", subject={"reference": f"{BASE}/Patient/anna"})
    return bundle("d-anna", composition, absolute, observation("near", subject=ANNA))


def subscription(identity: str, *filters: str) -> dict[str, Any]:
    return wanted("https://plan.invalid/hook", identity, filters=filters)


FILTER = "Encounter?patient=Patient%2Fbob,Patient/anna&class=IMP"


@pytest.fixture
def api(swept: Database) -> Api:
    api = county(swept)
    api.have(nested(), document(), subscription("s-anna", FILTER, "Encounter?class=EMER,anna"))
    return api


@pytest.fixture
def registry(api: Api) -> Registry:
    return registry_of(api.database)


def references(content: Any) -> Iterator[str]:
    for place in places(content):
        yield place.text


@pytest.mark.parametrize("path", ["/QuestionnaireResponse/q-anna", "/Bundle/d-anna", "/Bundle/b-anna"])
def test_every_nested_reference_leads_to_the_member(api: Api, registry: Registry, path: str) -> None:
    before = list(references(api.get(path).json))
    assert any("anna" in each for each in before)
    merged(registry, "ann", "anna")
    now = list(references(api.get(path).json))
    assert [each for each in now if each.endswith("/anna")] == []
    assert now.count("Patient/ann") == len([each for each in before if each.endswith("Patient/anna")])


def test_all_of_it_is_put_back_and_earlier_versions_stay_as_they_were(api: Api, registry: Registry) -> None:
    before, seen, first = contents(api.database), rights(api.database), versions(api.database)
    merged(registry, "ann", "anna")
    assert contents(api.database)["QuestionnaireResponse/q-anna"] != before["QuestionnaireResponse/q-anna"]
    unmerged(registry, "anna")
    assert contents(api.database) == before
    assert rights(api.database) == seen
    assert versions(api.database).items() >= first.items()


def versions(database: Database) -> dict[tuple[int, int], bytes]:
    """What each version says."""
    with database.read() as connection:
        rows = connection.execute(select(history.c.rid, history.c.version, history.c.body)).all()
        now = connection.execute(select(resource.c.rid, resource.c.version, resource.c.body)).all()
    return {(row.rid, row.version): row.body for row in (*rows, *now)}


def test_a_chain_of_merges_is_put_back_everywhere_in_any_order(api: Api, registry: Registry) -> None:
    before = contents(api.database)
    for order in (("anna", "bob"), ("bob", "anna")):
        merged(registry, "bob", "anna")
        merged(registry, "ann", "bob")
        for each in order:
            unmerged(registry, each)
        assert contents(api.database) == before, order


def test_a_bundle_that_brings_the_patient_along_keeps_what_it_says_of_that_one(
    api: Api, registry: Registry
) -> None:
    """Its references lead to its own entry."""
    api.have(bundle("whole", patient("anna"), observation("inside", subject=ANNA)))
    merged(registry, "ann", "anna")
    assert list(references(api.get("/Bundle/whole").json)) == []
    assert api.get("/Bundle/whole").json["entry"][1]["resource"]["subject"] == ANNA
    assert api.as_("harbor").get("/Bundle/whole").status_code == 200  # it is the member's all the same


def test_a_document_that_was_signed_stays_as_it_was_signed(api: Api, registry: Registry) -> None:
    signature = {"type": [{"code": "1.2.840.10065.1.12.1.1"}], "when": "2026-11-22T10:00:00Z", "who": ANNA}
    api.have(bundle("signed", observation("inside", subject=ANNA), signature=signature))
    before = contents(api.database)["Bundle/signed"]
    merged(registry, "ann", "anna")
    assert contents(api.database)["Bundle/signed"][0] == before[0]


def filters(api: Api, identity: str = "s-anna") -> list[str]:
    extensions = api.get(f"/Subscription/{identity}").json["_criteria"]["extension"]
    return [each["valueString"] for each in extensions]


def test_what_a_subscription_narrows_by_follows_the_member_and_comes_back(api: Api, registry: Registry) -> None:
    merged(registry, "ann", "anna")
    now = ["Encounter?patient=Patient%2Fbob,Patient/ann&class=IMP", "Encounter?class=EMER,anna"]
    assert filters(api) == now
    api.have(subscription("since", "Encounter?patient=Patient/ann"))
    unmerged(registry, "anna")
    assert filters(api) == [FILTER, "Encounter?class=EMER,anna"]
    assert filters(api, "since") == ["Encounter?patient=Patient/ann"]


def test_a_filter_that_was_edited_since_says_the_former_patient_again_in_what_it_says_now(
    api: Api, registry: Registry
) -> None:
    merged(registry, "ann", "anna")
    api.have(subscription("s-anna", "Encounter?patient=Patient/ann&class=EMER"))
    assert unmerged(registry, "anna").lost == ()
    assert filters(api) == ["Encounter?patient=Patient/anna&class=EMER"]


def test_a_filter_that_named_both_and_was_edited_waits_for_a_person(api: Api, registry: Registry) -> None:
    api.have(subscription("both", "Encounter?patient=Patient/ann,Patient/anna"))
    merged(registry, "ann", "anna")
    api.have(subscription("both", "Encounter?patient=Patient/ann"))
    assert unmerged(registry, "anna").lost == ("Subscription/both",)
    assert filters(api, "both") == ["Encounter?patient=Patient/ann"]


@pytest.mark.parametrize(
    ("text", "now"),
    [
        ("Encounter?patient=Patient/a", "Encounter?patient=Patient/b"),
        ("Encounter?patient=a,Patient/aa", "Encounter?patient=Patient/b,Patient/aa"),
        ("Encounter?subject:Patient=a", "Encounter?subject:Patient=Patient/b"),
        ("Encounter?subject=https%3A%2F%2Fhub%2FPatient%2Fa", "Encounter?subject=Patient/b"),
        ("Encounter?subject=https://other/Patient/a", "Encounter?subject=https://other/Patient/a"),
        ("Encounter?class=a", "Encounter?class=a"),
        ("Encounter?", "Encounter?"),
    ],
)
def test_only_the_words_that_name_the_patient_change(text: str, now: str) -> None:
    subscribed = subscription("any", text)
    named = {place.pointer: "Patient/b" for place, patient in movable(subscribed, "https://hub") if patient == "a"}
    assert with_texts(subscribed, named) == subscription("any", now)
