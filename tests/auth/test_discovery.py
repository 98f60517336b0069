"""The SMART configuration says what is so, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from auth.apps_pages import PATH
from auth.authorize_pages import AUTHORIZE_PATH
from auth.discovery import smart_configuration
from auth.scopes import CONTEXTS, WORDS, granted, parse
from hub.settings import read_settings


@pytest.mark.parametrize("path", ["/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration"])
@pytest.mark.parametrize("accept", ["application/json", "application/fhir+json", "image/png", "*/*"])
def test_it_is_json_whatever_is_accepted_and_needs_no_token(web: FlaskClient, path: str, accept: str) -> None:
    answer = web.get(path, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.content_type == "application/json"


@pytest.fixture
def document(web: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = web.get("/fhir/.well-known/smart-configuration").get_json()
    return found


CAPABILITIES = """
    launch-ehr launch-standalone authorize-post client-public client-confidential-symmetric
    client-confidential-asymmetric sso-openid-connect context-banner context-style context-ehr-patient
    context-ehr-encounter context-standalone-patient permission-offline permission-patient permission-user
    permission-v1 permission-v2
"""


def test_it_holds_what_smart_requires(document: dict[str, Any]) -> None:
    assert document["token_endpoint"] == "https://hub.example/auth/token"
    assert document["issuer"] == "https://hub.example"
    assert set(document["grant_types_supported"]) == {"client_credentials", "authorization_code", "refresh_token"}
    assert {"private_key_jwt", "client_secret_basic"} <= set(document["token_endpoint_auth_methods_supported"])
    assert document["token_endpoint_auth_signing_alg_values_supported"] == ["RS384", "ES384"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["response_types_supported"] == ["code"]
    assert set(document["capabilities"]) == set(CAPABILITIES.split())


PAGES = {"authorization_endpoint": AUTHORIZE_PATH, "management_endpoint": PATH}


def test_every_address_it_names_answers(web: FlaskClient, document: dict[str, Any]) -> None:
    """404 would be an address that is not there."""
    named = {name: url for name, url in document.items() if name.endswith(("_endpoint", "_uri"))}
    answering = {"token_endpoint": 405, "introspection_endpoint": 405, "revocation_endpoint": 405, "jwks_uri": 200}
    assert set(named) == {*answering, *PAGES}
    for name, status in answering.items():
        path = named[name].removeprefix("https://hub.example")
        assert web.get(path).status_code == status, name


def test_the_addresses_of_the_pages_are_those_that_they_serve(document: dict[str, Any]) -> None:
    for name, path in PAGES.items():
        assert document[name] == f"https://hub.example{path}"


def test_registration_and_brands_are_named_only_where_they_are(tmp_path: Path) -> None:
    def named(**settings: str) -> set[str]:
        found = read_settings({"HUB_BASE_URL": "https://hub.example", "HUB_DATA_DIR": str(tmp_path), **settings})
        names = {"registration_endpoint", "user_access_brand_bundle", "user_access_brand_identifier"}
        return set(smart_configuration(found)) & names

    assert named() == set()
    assert named(HUB_REGISTRATION="software-statement") == {"registration_endpoint"}
    (tmp_path / "brands.csv").write_text("id,name,url\n")  # a table that cannot be used is named no more than none
    assert named() == set()
    (tmp_path / "brands.csv").write_text("id,name,url\nharbor,Harbor Demo County,https://harbor.example\n")
    assert named() == {"user_access_brand_bundle", "user_access_brand_identifier"}


def test_openid_finds_the_issuer_it_was_told_of(web: FlaskClient, document: dict[str, Any]) -> None:
    answer = web.get("/.well-known/openid-configuration")
    assert answer.content_type == "application/json"
    found = answer.get_json()
    assert {name: found[name] for name in document} == document
    assert found["id_token_signing_alg_values_supported"] == ["RS256"]
    assert found["subject_types_supported"] == ["public"]


@pytest.mark.parametrize(
    "path", ["/.well-known/smart-configuration", "/.well-known/openid-configuration", "/auth/jwks"]
)
def test_a_page_of_any_origin_may_read_it(web: FlaskClient, path: str) -> None:
    answer = web.get(path, headers={"Origin": "https://app.example"})
    assert answer.headers.getlist("Access-Control-Allow-Origin") == ["*"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_us_cores_scopes_are_listed(document: dict[str, Any]) -> None:
    listed = set(document["scopes_supported"])
    assert {"openid", "fhirUser", "launch", "launch/patient", "offline_access"} <= listed
    assert "online_access" not in listed
    laboratory = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
    for context in ("patient", "user"):
        assert {f"{context}/{name}.rs" for name in ("Patient", "CareTeam", "Provenance")} <= listed
        assert f"{context}/Observation.rs?category={laboratory}" in listed


def test_the_token_endpoint_it_names_is_the_audience_that_is_checked(
    web: FlaskClient, forge: Any, document: dict[str, Any]
) -> None:
    answer = web.post("/auth/token", data=forge.form(forge.assertion(aud=document["token_endpoint"])))
    assert answer.status_code == 200


def test_the_host_header_changes_nothing(web: FlaskClient, document: dict[str, Any]) -> None:
    answer = web.get("/fhir/.well-known/smart-configuration", headers={"Host": "evil.example"})
    assert answer.get_json() == document


def test_every_scope_it_lists_can_be_registered_and_granted(document: dict[str, Any]) -> None:
    everything = parse(" ".join((*WORDS, *(f"{context}/*.cruds" for context in CONTEXTS))))
    for scope in document["scopes_supported"]:
        assert granted(parse(scope), everything) == parse(scope)
