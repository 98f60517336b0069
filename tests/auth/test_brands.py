"""The list of user-access brands: public, dated, and what the deployment's table says."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from auth.blueprint import blueprint
from auth.brands import BrandsError, bundle, primary
from hub.settings import read_settings
from hub.store.engine import Database
from tests.auth.conftest import BASE, SECRET_KEY

BASE_FHIR = f"{BASE}/fhir"
HEAD = "id,name,url,logo,portal,portal_url,city,state,postal_code\n"
ROW = (
    "harbor,Harbor Demo County,https://harbor.example,https://harbor.example/logo.svg,"
    "Harbor Chart,https://chart.harbor.example,Harborville,CA,90000\n"
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "brands.csv"
    path.write_text(HEAD + ROW + "lantern,Lantern Demo Plan,https://lantern.example,,,,,,\n")
    return path


def test_the_bundle_holds_an_endpoint_and_a_brand_for_each_row(table: Path) -> None:
    found = bundle(table, BASE_FHIR)
    assert (found["resourceType"], found["type"]) == ("Bundle", "collection")
    assert found["timestamp"].endswith("Z")
    endpoint, harbor, lantern = (entry["resource"] for entry in found["entry"])
    assert (endpoint["resourceType"], endpoint["address"], endpoint["status"]) == ("Endpoint", BASE_FHIR, "active")
    assert endpoint["connectionType"]["code"] == "hl7-fhir-rest"
    for brand, url in ((harbor, "https://harbor.example"), (lantern, "https://lantern.example")):
        assert brand["resourceType"] == "Organization"
        assert brand["identifier"] == [{"system": "urn:ietf:rfc:3986", "value": url}]
        assert brand["endpoint"] == [{"reference": f"Endpoint/{endpoint['id']}"}]
    assert harbor["address"] == [{"city": "Harborville", "state": "CA", "postalCode": "90000"}]
    assert "address" not in lantern
    assert [part["url"].rpartition("/")[2] for part in harbor["extension"]] == [
        "organization-brand",
        "organization-portal",
    ]


def test_it_is_valid_fhir(table: Path) -> None:
    from conformance.validation.structure import validate

    found = bundle(table, BASE_FHIR)
    for entry in found["entry"]:
        assert validate(entry["resource"], entry["resource"]["resourceType"], conditional_references=False) == []


@pytest.mark.parametrize(
    "rows",
    [
        "harbor,,https://a.example,,,,,,\n",
        ",Harbor,https://a.example,,,,,,\n",
        "harbor,Harbor,,,,,,,\n",
        "har bor,Harbor,https://a.example,,,,,,\n",
        "fhir,Harbor,https://a.example,,,,,,\n",
        "harbor,Harbor,http://a.example,,,,,,\n",
        "harbor,Harbor,https://a.example,javascript:1,,,,,\n",
        ROW + ROW,
        ROW + "other,Other,https://harbor.example,,,,,,\n",
        ROW + "other,Other,https://www.harbor.example/clinic,,,,,,\n",
        "",
    ],
)
def test_a_table_with_a_fault_is_refused_with_its_line(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "brands.csv"
    path.write_text(HEAD + rows)
    with pytest.raises(BrandsError, match="Line "):
        bundle(path, BASE_FHIR)


WIDE = (
    "id,name,url,identifier_system,identifier,alias,category,part_of,logo,portal,portal_description,portal_url,"
    "portal_logo,developer_url,line,city,state,postal_code\n"
    "harbor,Harbor Demo County,https://www.harbor.example/health,,,HDC|Harbor,prov,,https://harbor.example/logo.svg,"
    "Harbor Chart,For members,https://chart.harbor.example,https://chart.harbor.example/logo.svg,"
    "https://developers.harbor.example,1 Demo Way,Harborville,CA,90000\n"
    "lantern,Lantern Demo Clinic,https://lantern.example,urn:oid:2.999,L-1,,,harbor,,,,,,,,,,\n"
)


def test_every_must_support_element_has_a_column(tmp_path: Path) -> None:
    from conformance.validation.structure import validate

    path = tmp_path / "brands.csv"
    path.write_text(WIDE)
    found = bundle(path, BASE_FHIR)
    endpoint, harbor, lantern = (entry["resource"] for entry in found["entry"])
    assert found["meta"]["lastUpdated"] == found["timestamp"]
    assert endpoint["contact"] == [{"system": "url", "value": "https://developers.harbor.example"}]
    assert primary(path) == {"system": "urn:ietf:rfc:3986", "value": "https://harbor.example"}
    assert harbor["identifier"] == [primary(path)]
    assert lantern["identifier"] == [{"system": "urn:oid:2.999", "value": "L-1"}]
    assert harbor["alias"] == ["HDC", "Harbor"]
    assert harbor["type"][0]["coding"][0]["code"] == "prov"
    assert lantern["partOf"] == {"reference": "Organization/harbor"}
    assert harbor["address"][0]["line"] == ["1 Demo Way"]
    (portal,) = [part for part in harbor["extension"] if part["url"].endswith("organization-portal")]
    told = {part["url"]: value for part in portal["extension"] for name, value in part.items() if name != "url"}
    assert told == {
        "portalName": "Harbor Chart",
        "portalDescription": "For members",
        "portalUrl": "https://chart.harbor.example",
        "portalLogo": "https://chart.harbor.example/logo.svg",
        "portalEndpoint": {"reference": "Endpoint/fhir"},
    }
    for one in (endpoint, harbor, lantern):
        assert validate(one, one["resourceType"], conditional_references=False) == []
    assert "dataAbsentReason" not in str(found)


@pytest.mark.parametrize(
    ("harbor", "lantern"),
    [
        (",,,hospital,,", ",,,,,"),
        (",,,,,", ",,,,nobody,"),
        (",,,,,", ",,,,lantern,"),
        (",,,,lantern,", ",,,,harbor,"),
    ],
)
def test_a_category_or_a_parent_that_is_not_there_is_refused(tmp_path: Path, harbor: str, lantern: str) -> None:
    head = "id,name,url,identifier,alias,category,part_of,logo\n"
    path = tmp_path / "brands.csv"
    path.write_text(f"{head}harbor,H,https://h.example{harbor}\nlantern,L,https://l.example{lantern}\n")
    assert primary(path) is None
    with pytest.raises(BrandsError, match="Line "):
        bundle(path, BASE_FHIR)


def test_it_is_public_and_for_every_origin_and_not_there_without_a_table(
    database: Database, table: Path, clock: Any
) -> None:
    words = {"HUB_BASE_URL": BASE, "HUB_SECRET_KEY": SECRET_KEY, "HUB_BRANDS_FILE": str(table)}
    app = Flask("test")
    app.register_blueprint(blueprint(database, read_settings(words), clock))
    web = app.test_client()
    answer = web.get("/auth/brands")
    assert answer.status_code == 200
    assert answer.content_type == "application/fhir+json"
    assert answer.headers.getlist("Access-Control-Allow-Origin") == ["*"]
    assert answer.headers["ETag"].startswith('W/"')
    again = web.get("/auth/brands", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    told = web.get("/.well-known/smart-configuration").get_json()
    assert told["user_access_brand_bundle"] == f"{BASE}/auth/brands"
    mine = [entry["resource"].get("identifier", []) for entry in answer.get_json()["entry"]]
    assert [one for one in mine if told["user_access_brand_identifier"] in one] == [
        [{"system": "urn:ietf:rfc:3986", "value": "https://harbor.example"}]
    ]
    table.unlink()
    assert web.get("/auth/brands").status_code == 404
