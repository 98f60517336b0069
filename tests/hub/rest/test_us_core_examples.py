"""US Core's must-support elements: its examples and FILLED have each, and all come back as they were sent.

The examples are in the packages of the shared folder, which a stranger does not have: then this says so and rests.
"""

import json
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hub.rights.labels import NO_PART2, labels_of, with_labels
from tests.hub.asking import Api
from tests.hub.rest.us_core_cast import SNOMED, TERMS, concept, made

Json = dict[str, Any]
PACKAGES = sorted(Path("/work/shared/packages").glob("hl7.fhir.us.core-*.tgz"))
here = pytest.mark.skipif(not PACKAGES, reason="the folder with the US Core packages is not here")
of_each = pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.stem)
TEXT = {"text": "Invented"}
ME: Json = {"reference": "Patient/1"}
IDENTIFIER = [{"system": "urn:invented", "value": "1"}]
SOMEBODY: Json = {"individual": {"reference": "Practitioner/1"}, "type": [TEXT], "period": {"start": "2026-03-04"}}
# what no example has
FILLED = [
    made("Device", "1", patient=ME, distinctIdentifier="INVENTED-1", type=TEXT),
    made("DiagnosticReport", "1", status="final", code=TEXT, subject=ME, encounter={"reference": "Encounter/1"}),
    made(
        "Encounter",
        "1",
        status="finished",
        subject=ME,
        participant=[SOMEBODY],
        reasonCode=[TEXT],
        reasonReference=[{"reference": "Condition/1"}],
        serviceProvider={"reference": "Organization/1"},
        identifier=IDENTIFIER,
        **{"class": {"system": f"{TERMS}/v3-ActCode", "code": "AMB"}},
    ),
    made("Goal", "1", lifecycleStatus="active", description=TEXT, subject=ME, startDate="2026-03-04"),
    made(
        "Immunization",
        "1",
        status="not-done",
        statusReason=TEXT,
        patient=ME,
        vaccineCode=TEXT,
        occurrenceDateTime="2026",
    ),
    made(
        "MedicationRequest",
        "1",
        status="active",
        intent="order",
        subject=ME,
        medicationCodeableConcept=TEXT,
        category=[concept(f"{TERMS}/medicationrequest-category", "community")],
    ),
    made("Observation", "1", status="final", code=TEXT, subject=ME, dataAbsentReason=TEXT),
    made("Patient", "1", communication=[{"language": concept("urn:ietf:bcp:47", "es")}]),
    made("Practitioner", "1", name=[{"family": "Inventada"}], address=[{"country": "US"}]),
    made(
        "PractitionerRole",
        "1",
        practitioner={"reference": "Practitioner/1"},
        organization={"reference": "Organization/1"},
        location=[{"reference": "Location/1"}],
        endpoint=[{"reference": "Endpoint/1"}],
        code=[TEXT],
        specialty=[concept(SNOMED, "394802001")],
        telecom=[{"system": "phone", "value": "+1 555 0100"}],
    ),
    made(
        "Provenance",
        "1",
        target=[ME],
        recorded="2026-03-04T18:00:00Z",
        agent=[{"who": {"reference": "Practitioner/1"}, "onBehalfOf": {"reference": "Organization/1"}}],
    ),
    made(
        "QuestionnaireResponse",
        "1",
        status="completed",
        identifier=IDENTIFIER[0],
        item=[{"linkId": "1", "answer": [{"valueBoolean": True, "item": [{"linkId": "1.1"}]}]}],
    ),
]


@cache
def definitions(path: Path, examples: bool) -> list[Json]:
    """What a package holds: its examples, or the rest."""
    with tarfile.open(path) as archive:
        names = [name for name in archive.getnames() if name.endswith(".json") and name.startswith("package/")]
        files = [archive.extractfile(name) for name in names if ("/example/" in name) == examples]
        found = [json.loads(file.read()) for file in files if file]
    return [one for one in found if isinstance(one, dict) and one.get("id") and "resourceType" in one]


def without_versions(resource: Json) -> Json:
    meta = {
        name: part for name, part in resource.get("meta", {}).items() if name not in ("versionId", "lastUpdated")
    }
    return resource | {"meta": meta}


def labelled(sent: Json) -> Json:
    return with_labels(sent, labels_of(sent, "", NO_PART2))


def check(api: Api, sent: Json) -> None:
    """It is stored, read as it was sent (with its labels, where it is sensitive), and its XML says the same."""
    place = f"/{sent['resourceType']}/{sent['id']}"
    answer = api.put(place, sent)
    assert answer.status_code == 201, (place, answer.text)
    assert without_versions(api.get(place).json) == without_versions(labelled(sent)), place
    again = api.ask("PUT", place, api.get(place, Accept="application/fhir+xml").data, Content_Type="text/xml")
    assert again.headers["ETag"] == 'W/"1"', place


@here
@of_each
def test_every_example_comes_back_as_it_was_sent(api: Api, path: Path) -> None:
    found = definitions(path, examples=True)
    assert len(found) > 100
    for sent in found:
        check(api, sent)


def test_what_no_example_has_comes_back_too(api: Api) -> None:
    for sent in FILLED:
        check(api, sent)


def must_support(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Type and steps of every flagged element of every profile of a resource."""
    for one in definitions(path, examples=False):
        if one["resourceType"] == "StructureDefinition" and one["kind"] == "resource":
            for element in one["snapshot"]["element"]:
                if element.get("mustSupport") and "." in element["path"]:
                    yield one["type"], element["path"].split(".")[1:]


def has(node: Any, steps: list[str]) -> bool:
    """Whether something stands there; `[x]` is any type of a choice."""
    if isinstance(node, list):
        return any(has(one, steps) for one in node)
    if not steps or not isinstance(node, dict):
        return not steps
    first, rest = steps[0], steps[1:]
    if first.endswith("[x]"):
        return any(has(part, rest) for name, part in node.items() if name.startswith(first[:-3]))
    return f"_{first}" in node or (first in node and has(node[first], rest))


@here
@of_each
def test_every_must_support_element_is_among_them(path: Path) -> None:
    kept = [*definitions(path, examples=True), *FILLED]
    flagged = list(must_support(path))
    assert len(flagged) > 500
    lost = {
        f"{kind}.{'.'.join(steps)}"
        for kind, steps in flagged
        if not any(has(one, steps) for one in kept if one["resourceType"] == kind)
    }
    assert lost == set()
