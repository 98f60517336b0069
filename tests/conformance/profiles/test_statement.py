"""The CapabilityStatement tells of loaded packages what is validated by them, and nothing without them."""

from pathlib import Path
from typing import Any

from conformance.capability_statement import INSTANTIATES, SUBSCRIPTION, TOPIC, capability_statement
from conformance.packages.catalog import Catalog
from hub.notifications.topics import TOPICS
from tests.conformance.profiles.packs import BASE, profile, write


def statement(catalog: Catalog | None) -> dict[str, Any]:
    return capability_statement("https://hub.example/fhir", "", "0", "2026-01-01T00:00:00Z", "single", catalog)


def test_supported_profiles_are_those_of_loaded_packages(tmp_path: Path) -> None:
    write(tmp_path, "county.profiles", "1.0.0", profile("member", "Patient"))
    told = statement(Catalog.of_folder(tmp_path))["rest"][0]
    by_type = {each["type"]: each.get("supportedProfile") for each in told["resource"]}
    assert by_type["Patient"] == [f"{BASE}/StructureDefinition/member"]
    assert by_type["Observation"] is None
    assert "county.profiles 1.0.0" in told["documentation"]


def test_without_packages_the_statement_says_so() -> None:
    told = statement(None)["rest"][0]
    assert told["documentation"].startswith("Without profile packages")
    named = {each["type"]: each["supportedProfile"] for each in told["resource"] if "supportedProfile" in each}
    assert named == {"Subscription": [SUBSCRIPTION]}


def test_subscriptions_tell_their_profile_and_every_topic() -> None:
    whole = statement(None)
    (told,) = [each for each in whole["rest"][0]["resource"] if each["type"] == "Subscription"]
    assert told["extension"] == [{"url": TOPIC, "valueCanonical": url} for url in TOPICS]
    assert {"status", "events", "get-ws-binding-token"} <= {each["name"] for each in told["operation"]}
    assert {"url", "status"} <= {each["name"] for each in told["searchParam"]}
    assert whole["instantiates"] == list(INSTANTIATES)
