"""The SMART configuration says what is so, and nothing else."""

from typing import Any

import pytest
from flask.testing import FlaskClient


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


def test_it_holds_what_smart_requires(document: dict[str, Any]) -> None:
    assert document["token_endpoint"] == "https://hub.example/auth/token"
    assert document["grant_types_supported"] == ["client_credentials"]
    assert document["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert document["token_endpoint_auth_signing_alg_values_supported"] == ["RS384", "ES384"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert {"client-confidential-asymmetric", "permission-v2"} == set(document["capabilities"])


def test_it_promises_no_endpoint_that_is_not_there(document: dict[str, Any]) -> None:
    absent = {"issuer", "jwks_uri", "authorization_endpoint", "registration_endpoint", "introspection_endpoint"}
    assert not absent & set(document)


def test_the_token_endpoint_it_names_is_the_audience_that_is_checked(
    web: FlaskClient, forge: Any, document: dict[str, Any]
) -> None:
    answer = web.post("/auth/token", data=forge.form(forge.assertion(aud=document["token_endpoint"])))
    assert answer.status_code == 200


def test_the_host_header_changes_nothing(web: FlaskClient, document: dict[str, Any]) -> None:
    answer = web.get("/fhir/.well-known/smart-configuration", headers={"Host": "evil.example"})
    assert answer.get_json() == document


def test_every_scope_it_lists_can_be_registered_and_granted(document: dict[str, Any]) -> None:
    from auth.scopes import granted, parse

    for scope in document["scopes_supported"]:
        assert granted(parse(scope), parse("system/*.cruds"))
