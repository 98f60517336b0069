"""What is a link, and is replaced, is decided by the type of its element; all else stays as it was sent."""

from typing import Any

import pytest

from hub.fhir.references import comparable, rewrite

UUID = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"
OID = "urn:oid:1.2.3"
HTTP = "https://there.example/r4/Patient/x?a=1&b=2"
NAMES = {UUID: "Patient/1", OID: "Patient/2", HTTP: "Patient/3"}


def rewritten(resource: dict[str, Any]) -> Any:
    return rewrite(resource, lambda reference: NAMES.get(comparable(reference), reference), NAMES)


def extended(name: str, value: Any = UUID) -> dict[str, Any]:
    return {"resourceType": "Patient", "extension": [{"url": "https://x.invalid", f"value{name}": value}]}


# the resource, in which `UUID` must become Patient/1 wherever it stands
LINKS = {
    "a reference": {"resourceType": "Observation", "subject": {"reference": UUID}},
    "in a list": {"resourceType": "Observation", "derivedFrom": [{"reference": UUID}]},
    "in a backbone element": {
        "resourceType": "Patient",
        "link": [{"other": {"reference": UUID}, "type": "seealso"}],
    },
    "of a choice": {"resourceType": "MedicationRequest", "medicationReference": {"reference": UUID}},
    "a uri": {"resourceType": "PlanDefinition", "url": UUID},
    "a url": {"resourceType": "DocumentReference", "content": [{"attachment": {"url": UUID}}]},
    "a list of uris": {"resourceType": "CarePlan", "instantiatesUri": [UUID, "https://x.invalid"]},
    "a uri called reference": {"resourceType": "Immunization", "education": [{"reference": UUID}]},
    "an extension's uri": extended("Uri"),
    "an extension's url": extended("Url"),
    "an extension's uuid": extended("Uuid"),
    "an extension's reference": extended("Reference", {"reference": UUID}),
    "an extension of an extension": extended(
        "Reference", {"display": "x", "extension": extended("Uri")["extension"]}
    ),
    "beside a primitive": {"resourceType": "Patient", "_birthDate": {"extension": extended("Uri")["extension"]}},
    "beside one of several": {
        "resourceType": "Patient",
        "name": [{"given": ["A", "B"], "_given": [None, {"extension": extended("Uri")["extension"]}]}],
    },
    "beside a uri": {"resourceType": "PlanDefinition", "_url": {"extension": extended("Uri")["extension"]}},
    "in what is contained": {
        "resourceType": "Observation",
        "contained": [{"resourceType": "DocumentReference", "content": [{"attachment": {"url": UUID}}]}],
    },
}


@pytest.mark.parametrize("resource", LINKS.values(), ids=LINKS)
def test_links_are_replaced_by_the_type_of_their_element(resource: dict[str, Any]) -> None:
    before = repr(resource)
    assert repr(rewritten(resource)) == before.replace(UUID, "Patient/1")
    assert repr(resource) == before, "what was sent is not changed"


NO_LINKS = {
    "a canonical": {"resourceType": "CarePlan", "instantiatesCanonical": [UUID]},
    "a profile": {"resourceType": "Patient", "meta": {"profile": [UUID]}},
    "an extension's canonical": extended("Canonical"),
    "an extension's string": extended("String"),
    "an extension's code": extended("Code"),
    "an extension's markdown": extended("Markdown"),
    "a string": {"resourceType": "Organization", "name": UUID},
    "markdown": {"resourceType": "Observation", "note": [{"text": UUID}]},
    "an identifier": {"resourceType": "Patient", "identifier": [{"system": OID, "value": UUID}]},
    "the system of a code": {"resourceType": "Observation", "code": {"coding": [{"system": OID, "code": "x"}]}},
    "a reference to what is contained": {"resourceType": "Observation", "subject": {"reference": "#p"}},
    "an http uri": {"resourceType": "PlanDefinition", "url": HTTP},
    "a contained canonical": {
        "resourceType": "Observation",
        "contained": [{"resourceType": "CarePlan", "instantiatesCanonical": [UUID], "title": UUID}],
    },
    "another Bundle's entries": {
        "resourceType": "Bundle",
        "entry": [{"fullUrl": UUID, "resource": LINKS["a reference"]}, {"resource": LINKS["a uri"]}],
    },
    "what is no element": {"resourceType": "Patient", "nothing": {"reference": UUID}},
}


@pytest.mark.parametrize("resource", NO_LINKS.values(), ids=NO_LINKS)
def test_what_only_reads_like_a_link_stays(resource: dict[str, Any]) -> None:
    assert rewritten(resource) == resource


def test_a_uri_called_reference_need_not_lead_anywhere() -> None:
    asked: list[str] = []
    for resource in (LINKS["a uri called reference"], {"resourceType": "DetectedIssue", "reference": UUID}):
        rewrite(resource, lambda reference: asked.append(reference) or reference, {})  # type: ignore[func-returns-value]
    assert asked == []


NARRATIVES = {
    f'<a href="{UUID}">x</a>': '<a href="Patient/1">x</a>',
    f"<a title='t' href = '{UUID}'>x</a>": "<a title='t' href = \"Patient/1\">x</a>",
    f'<a\nhref="{UUID.upper()}">x</a>': '<a\nhref="Patient/1">x</a>',
    f'<img alt="a > b" src="{OID}"/>': '<img alt="a > b" src="Patient/2"/>',
    f'<a href="{HTTP.replace("&", "&amp;")}">x</a>': '<a href="Patient/3">x</a>',
    f'<a href="{UUID}">{UUID}</a><a href="{OID}"/>': f'<a href="Patient/1">{UUID}</a><a href="Patient/2"/>',
}
UNTOUCHED = (
    f'<a href="{UUID}#part">x</a>',
    '<a href="#part">x</a>',
    f'<a title="{UUID}">x</a>',
    f"<a title=' href=\"{UUID}\"'>x</a>",
    f'<p> href="{UUID}"</p>',
    f'<abbr href="{UUID}">x</abbr>',
    '<a href="urn:uuid:another">x</a>',
)


@pytest.mark.parametrize(("sent", "becomes"), [*NARRATIVES.items(), *((text, text) for text in UNTOUCHED)])
def test_links_of_the_narrative_are_replaced_and_its_text_is_not(sent: str, becomes: str) -> None:
    def told(inside: str) -> dict[str, Any]:
        text = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'}
        return {"resourceType": "Patient", "text": text, "contained": [{"resourceType": "Patient", "text": text}]}

    assert rewritten(told(sent)) == told(becomes)


def test_case_says_nothing_in_a_uuid_or_an_oid_and_something_elsewhere() -> None:
    assert comparable(UUID.upper()) == UUID
    assert comparable("URN:OID:1.2.3") == OID
    assert comparable("urn:Isbn:1X") == "urn:Isbn:1X"
    assert comparable("https://x.invalid/A") == "https://x.invalid/A"
