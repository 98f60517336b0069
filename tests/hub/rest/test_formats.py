"""Which format is read and written: media types, weights, `_format`, versions; white space and compression."""

import gzip
import json
from typing import Any

import pytest

from hub.problems import Problem
from hub.rest import formats
from hub.rest.formats import FORMATS, JSON, XML
from hub.rest.rendering import FORM, wants_gzip
from tests.hub.asking import BASE, Api, entry, patient, refused

FHIR_XML = "application/fhir+xml"
NAMED = {"resourceType": "Patient", "id": "1", "name": [{"family": "Invented"}], "gender": "other"}
AS_XML = b'<Patient xmlns="http://hl7.org/fhir"><id value="1"/><active value="true"/></Patient>'

ACCEPT = {
    "": JSON,
    "*/*": JSON,
    "application/*": JSON,
    "text/*": JSON,
    "application/fhir+xml": XML,
    "application/xml": XML,
    "text/xml": XML,
    "APPLICATION/FHIR+XML; fhirVersion=4.0": XML,
    "application/fhir+xml; charset=utf-8": XML,
    "application/fhir+json, application/fhir+xml": JSON,
    "application/fhir+xml, application/fhir+json": JSON,
    "application/fhir+xml, */*": XML,
    "application/fhir+json;q=0.5, application/fhir+xml": XML,
    "application/fhir+json;q=0.5, application/fhir+xml;q=0.4": JSON,
    "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8": XML,
    "text/html, */*;q=0.1": JSON,
    "application/fhir+json;q=0, */*": XML,
    "application/fhir+json; fhirVersion=3.0, application/fhir+xml": XML,
    "application/fhir+xml;q=none, application/json": JSON,
    "image/png": None,
    "application/fhir+json;q=0": None,
    "application/fhir+json; fhirVersion=5.0": None,
    "*/*;q=0": None,
    "nonsense": None,
}


@pytest.mark.parametrize(("accept", "wanted"), ACCEPT.items(), ids=ACCEPT)
def test_the_best_of_an_accept_header_is_written(accept: str, wanted: formats.Format | None) -> None:
    assert formats.accepted(accept) is wanted
    assert formats.accepted(accept + " " * 600) is wanted  # also where it is too long to be remembered


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
def test_each_format_is_named_by_all_its_names(row: formats.Format) -> None:
    for name in (row.name, *row.names):
        assert formats.named(name) is row
        assert formats.named(name.replace("+", " ").upper()) is row
    for name in row.names:
        assert formats.sent(f"{name};charset=UTF-8; fhirVersion=4.0") is row


@pytest.mark.parametrize(
    "sent",
    ["", "text/plain", "application/fhir+json; fhirVersion=3.0", "application/xml; charset=utf-16", "*/*", "json"],
)
def test_other_bodies_are_not_read(sent: str) -> None:
    with pytest.raises(Problem) as told:
        formats.sent(sent)
    assert told.value.status == 415


@pytest.mark.parametrize("content_type", XML.names)
def test_xml_that_comes_in_goes_out_as_json_and_as_xml(api: Api, content_type: str) -> None:
    assert api.ask("PUT", "/Patient/1", AS_XML, Content_Type=content_type).status_code == 201
    assert api.get("/Patient/1").json["active"] is True
    answer = api.get("/Patient/1", Accept=FHIR_XML)
    assert answer.content_type == f"{FHIR_XML}; charset=utf-8"
    assert b'<active value="true"/>' in answer.data


def test_a_bundle_goes_both_ways_in_xml(api: Api) -> None:
    body = (
        b'<Bundle xmlns="http://hl7.org/fhir"><type value="transaction"/><entry><resource>'
        + AS_XML
        + b"</resource>"
        b'<request><method value="PUT"/><url value="Patient/1"/></request></entry></Bundle>'
    )
    answer = api.post("", body, Content_Type=FHIR_XML, Accept=FHIR_XML)
    assert answer.status_code == 200, answer.text
    assert answer.text.startswith("<")
    assert "transaction-response" in answer.text
    assert api.get("/Patient/1").json["active"] is True


ASKED: dict[str, tuple[str, dict[str, str], int]] = {
    "a search": ("/Patient?_format=xml", {}, 200),
    "a history": ("/Patient/_history?_format=text/xml", {}, 200),
    "the metadata": ("/metadata?_format=application/fhir%2Bxml", {"Authorization": ""}, 200),
    "the metadata, plus not escaped": ("/metadata?_format=application/fhir+xml", {}, 200),
    "with an escaped name": ("/Patient?%5Fformat=xml", {}, 200),
    "over Accept": ("/Patient/1?_format=xml", {"Accept": "application/json"}, 200),
    "not found": ("/Patient/2", {"Accept": FHIR_XML}, 404),
    "no token": ("/Patient/1", {"Accept": FHIR_XML, "Authorization": ""}, 401),
    "no route": ("/Patient/1/2/3", {"Accept": FHIR_XML}, 404),
    "no route, by _format": ("/Patient/1/2/3?_format=xml", {}, 404),
    "a bad parameter": ("/Patient?shoesize=1&_format=xml", {}, 400),
}


@pytest.mark.parametrize(("path", "headers", "status"), ASKED.values(), ids=ASKED)
def test_every_answer_is_in_the_format_that_was_asked_for(
    api: Api, path: str, headers: dict[str, str], status: int
) -> None:
    api.have(patient("1"))
    answer = api.get(path, **headers)
    assert (answer.status_code, answer.mimetype) == (status, FHIR_XML)
    assert b'xmlns="http://hl7.org/fhir"' in answer.data
    assert (b"<OperationOutcome " in answer.data) == (status >= 400)


def test_a_form_chooses_the_format_too_and_the_url_counts_more(api: Api) -> None:
    api.have(patient("1"))
    assert api.form("/Patient/_search", "_id=1&_format=xml").mimetype == FHIR_XML
    assert api.form("/Patient/_search?_format=json", "_id=1&_format=xml").mimetype == JSON.mime
    assert api.form("/Patient/_search?_format=xml", "_id=1", Accept="image/png").mimetype == FHIR_XML


@pytest.mark.parametrize("kind", ["Application/X-WWW-Form-Urlencoded", f"{FORM} ; charset=utf-8", f" {FORM}"])
def test_a_form_is_a_form_however_its_type_is_written(api: Api, kind: str) -> None:
    api.have(patient("1"))
    answer = api.ask("POST", "/Patient/_search", b"_id=1&_format=xml", Content_Type=kind)
    assert (answer.status_code, answer.mimetype) == (200, FHIR_XML)
    refused(api.ask("POST", "/Patient/_search", b"access_token=x", Content_Type=kind), 400, "invalid")


def test_what_only_begins_like_a_form_is_none(api: Api) -> None:
    refused(api.ask("POST", "/Patient/_search", b"_id=1", Content_Type=f"{FORM}ed"), 415, "not-supported")


RENDERED = ("_format=json", "_format=xml", "_format=pdf", "_pretty=true", "_pretty=perhaps", "%5Fformat=xml")


@pytest.mark.parametrize("more", RENDERED)
@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_an_entry_of_a_bundle_is_written_as_the_bundle_is(api: Api, kind: str, more: str) -> None:
    api.have(patient("1", active=True), patient("1", active=False))
    urls = (
        "Patient/1",
        "Patient/1/_history/1",
        "Patient?_id=1",
        "Patient",
        "Patient/1/$everything",
        "Patient/1/$meta",
    )
    asked = (f"{url}{'&' if '?' in url else '?'}{more}" for url in urls)
    answer = api.bundle(kind, *(entry("GET", url) for url in asked))
    assert (answer.status_code, answer.mimetype) == (200, JSON.mime)
    plain = api.bundle(kind, *(entry("GET", url) for url in urls))
    assert answer.json == plain.json  # also the self links of what was found
    assert {one["response"]["status"] for one in answer.json["entry"]} == {"200 OK"}


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_read_of_a_bundle_takes_what_a_read_takes(api: Api, kind: str) -> None:
    api.have(patient("1", active=True, gender="other"))
    (found,) = api.bundle(kind, entry("GET", "Patient/1?_elements=active&_format=xml")).json["entry"]
    assert found["resource"]["active"] is True
    assert "gender" not in found["resource"]
    (wrong,) = api.bundle("batch", entry("GET", "Patient/1?name=x")).json["entry"]
    assert wrong["response"]["status"].startswith("400")
    refused(api.bundle("transaction", entry("GET", "Patient/1?name=x")), 400, "not-supported")


def test_links_of_pages_keep_the_format(api: Api) -> None:
    api.have(patient("1"), patient("2"))
    for path in ("/Patient?_count=1", "/Patient/_history?_count=1"):
        link = next(each["url"] for each in api.get(f"{path}&_format=json&_pretty=true").json["link"][1:])
        assert "_format=json" in link
        assert "_pretty=true" in link
        assert api.get(link.removeprefix(BASE)).data.count(b"\n") > 5


def test_what_is_stored_leaves_as_the_same_bytes_and_pretty_changes_white_space_alone(api: Api) -> None:
    quantity = b'"valueQuantity":{"value":7.50}'
    sent = b'{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},%s}' % quantity
    assert api.put("/Observation/o", sent).status_code == 201
    plain, pretty = api.get("/Observation/o"), api.get("/Observation/o?_pretty=true")
    assert plain.data.count(b"\n") == 0
    assert pretty.data.count(b"\n") > 5
    assert b"7.50" in pretty.data
    assert json.loads(plain.data) == json.loads(pretty.data)
    assert api.get("/Observation/o?_pretty=false").data == plain.data
    assert api.get("/Observation/none?_pretty=true").data.count(b"\n") > 3
    assert api.get("/Observation/o?_pretty=true&_format=xml").data.count(b"\n") > 5


def test_a_write_takes_the_rendering_parameters(api: Api) -> None:
    assert api.post("/Patient?_format=xml", patient()).mimetype == FHIR_XML
    assert api.put("/Patient/1?_pretty=true", patient("1")).data.count(b"\n") > 3
    api.put("/Patient/2", patient("2", identifier=[{"system": "https://a.invalid", "value": "7"}]))
    answer = api.put("/Patient?identifier=7&_format=xml", patient("2", active=True))
    assert (answer.status_code, answer.mimetype) == (200, FHIR_XML)


@pytest.mark.parametrize(
    ("query", "left"),
    [("_summary=text", set()), ("_summary=data", {"name", "gender"}), ("_elements=gender", {"gender"}),
     ("_summary=false", {"name", "gender"})],
)  # fmt: skip
def test_a_read_gives_the_part_that_was_asked_for(api: Api, query: str, left: set[str]) -> None:
    api.have(NAMED)
    for path in ("/Patient/1", "/Patient/1/_history/1"):
        answer = api.get(f"{path}?{query}")
        assert set(answer.json) - {"resourceType", "id", "meta"} == left
        assert answer.headers["ETag"] == 'W/"1"'
        tagged = "SUBSETTED" in answer.text
        assert tagged == (query != "_summary=false")


def many(api: Api) -> None:
    api.have(*(patient(str(number), name=[{"family": "Invented" * 9}]) for number in range(10)))


def test_a_large_answer_is_compressed_where_the_client_takes_gzip(api: Api) -> None:
    many(api)
    plain = api.get("/Patient")
    packed = api.get("/Patient", Accept_Encoding="gzip, deflate")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) == int(packed.headers["Content-Length"]) < len(plain.data)
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.headers["Vary"]


def test_a_small_answer_is_not_compressed(api: Api) -> None:
    api.have(patient("1"))
    assert "Content-Encoding" not in api.get("/Patient/1", Accept_Encoding="gzip").headers


@pytest.mark.parametrize(
    ("header", "wanted"),
    [("gzip", True), ("*", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("gzip;q=0, *", False),
     ("br", False), ("", False), ("identity", False), ("gzip;q=x", False)],
)  # fmt: skip
def test_only_who_asks_for_gzip_gets_it(header: str, wanted: bool) -> None:
    assert wants_gzip(header) is wanted


def test_a_compressed_body_is_opened(api: Api) -> None:
    packed = gzip.compress(json.dumps(patient("1", active=True)).encode())
    assert api.put("/Patient/1", packed, Content_Encoding="gzip").status_code == 201
    assert api.get("/Patient/1").json["active"] is True
    form = gzip.compress(b"_id=1")
    answer = api.ask(
        "POST",
        "/Patient/_search",
        form,
        Content_Type="application/x-www-form-urlencoded",
        Content_Encoding="gzip",
    )
    assert [entry["resource"]["id"] for entry in answer.json["entry"]] == ["1"]


def test_a_compressed_body_of_a_stranger_is_not_opened(api: Api) -> None:
    answer: Any = api.post("/Patient", b"\x1f\x8b damaged", Content_Encoding="gzip", Authorization="")
    refused(answer, 401, "login")
