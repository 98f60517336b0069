"""What must be in a notification, beyond what the base specification asks of its Bundle."""

from typing import Any

import pytest

from fhir_mappings.alerts.message import notification
from fhir_mappings.alerts.references import Entries
from hub.problems import Problem
from tests.fhir_mappings.alerts.factory import URLS, alert, encounter, patient


def refusal(bundle: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(Problem) as caught:
        notification(bundle)
    return caught.value.kind, caught.value.issues[0].where


def test_the_focus_is_one_encounter() -> None:
    other = {"fullUrl": "urn:uuid:00000000-0000-4000-8000-0000000000aa", "resource": encounter()}
    sent = alert(header={"focus": [{"reference": URLS["encounter"]}, {"reference": other["fullUrl"]}]})
    sent["entry"].append(other)
    assert refusal(sent) == ("business-rule", "MessageHeader.focus")


def test_a_focus_of_another_type_beside_it_is_not_looked_at() -> None:
    sent = alert(header={"focus": [{"reference": URLS["patient"]}, {"reference": URLS["encounter"]}]})
    assert notification(sent).event == "A01"


def test_one_full_url_is_one_resource() -> None:
    sent = alert()
    again = {"fullUrl": URLS["patient"], "resource": patient(meta={"versionId": "2"})}
    sent["entry"].append(again)
    assert refusal(sent) == ("duplicate", f"Bundle.entry[{len(sent['entry']) - 1}].fullUrl")


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("Patient/1", True),
        ("https://one.example/fhir/Patient/1", True),
        ("https://two.example/fhir/Patient/1", False),
        ("Patient/2", False),
        ("Patient/11", False),
        ("", False),
    ],
)
def test_a_relative_reference_is_the_end_of_a_full_url(reference: str, found: bool) -> None:
    held = {"resourceType": "Patient", "id": "1"}
    entries = Entries.of({"entry": [{"fullUrl": "https://one.example/fhir/Patient/1", "resource": held}]})
    assert (entries.find({"reference": reference}, "Patient") is held) is found
    assert entries.find({"reference": reference}, "Encounter") is None


def test_a_reference_that_could_be_two_is_none() -> None:
    several = [{"fullUrl": f"https://{host}.example/fhir/Patient/1", "resource": patient()} for host in ("a", "b")]
    assert Entries.of({"entry": several}).find({"reference": "Patient/1"}, "Patient") is None
