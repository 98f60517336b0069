"""Bad HTTP: what comes in, what must go out.

Not here, because they need a server and a socket: both lengths stated, a stalled body, huge header lines and URLs.
"""

import gzip
from typing import Any

import pytest

from tests.hub.asking import MAX_BODY, Api, app_of, patient, refused, token_of

BOMB = gzip.compress(b" " * (MAX_BODY + 1))

# name: method, path, headers, body; status, issue code
ROWS: dict[str, tuple[str, str, dict[str, str], Any, int, str]] = {
    "H01 no token": ("GET", "/Patient/1", {"Authorization": ""}, None, 401, "login"),
    "H01 another scheme": ("GET", "/Patient/1", {"Authorization": "Basic eDp5"}, None, 401, "login"),
    "H01 an unknown token": ("GET", "/Patient/1", {"Authorization": "Bearer " + "y" * 43}, None, 401, "login"),
    "H01 no token, for a type that is none": ("GET", "/Patiant/1", {"Authorization": ""}, None, 401, "login"),
    "H01 no token, with a body that is no JSON": ("POST", "/Patient", {"Authorization": ""}, b"{", 401, "login"),
    "H02 text": ("POST", "/Patient", {"Content-Type": "text/plain"}, patient(), 415, "not-supported"),
    "H02 no content type": ("POST", "/Patient", {"Content-Type": ""}, patient(), 415, "not-supported"),
    "H02 a form": (
        "POST",
        "/Patient",
        {"Content-Type": "application/x-www-form-urlencoded"},
        b"a=b",
        415,
        "not-supported",
    ),
    "H02 a Bundle as text": ("POST", "", {"Content-Type": "text/plain"}, b"{}", 415, "not-supported"),
    "H02 PUT": ("PUT", "/Patient/1", {"Content-Type": "text/plain"}, patient("1"), 415, "not-supported"),
    "X01 a DOCTYPE": (
        "POST",
        "/Patient",
        {"Content-Type": "application/fhir+xml"},
        b'<!DOCTYPE x [<!ENTITY a "b">]><Patient xmlns="http://hl7.org/fhir"/>',
        400,
        "structure",
    ),
    "X04 no namespace": ("POST", "", {"Content-Type": "application/xml"}, b"<Bundle/>", 400, "structure"),
    "X04 no namespace, PUT": ("PUT", "/Patient/1", {"Content-Type": "text/xml"}, b"<Patient/>", 400, "structure"),
    "H02 another FHIR version": (
        "POST",
        "/Patient",
        {"Content-Type": "application/fhir+json; fhirVersion=5.0"},
        patient(),
        415,
        "not-supported",
    ),
    "H02 another character set": (
        "POST",
        "/Patient",
        {"Content-Type": "application/fhir+json; charset=iso-8859-1"},
        patient(),
        415,
        "not-supported",
    ),
    "H03 another FHIR version": (
        "GET",
        "/Patient/1",
        {"Accept": "application/fhir+json; fhirVersion=3.0"},
        None,
        406,
        "not-supported",
    ),
    "H03 HTML by _format": ("GET", "/Patient?_format=html", {}, None, 406, "not-supported"),
    "H03 HTML by a form's _format": (
        "POST",
        "/Patient/_search",
        {"Content-Type": "application/x-www-form-urlencoded"},
        b"_format=html",
        406,
        "not-supported",
    ),
    "   _pretty that is neither": ("GET", "/Patient?_pretty=perhaps", {}, None, 400, "value"),
    "H03 an image": ("GET", "/Patient/1", {"Accept": "image/png"}, None, 406, "not-supported"),
    "H03 an image for a write": ("POST", "/Patient", {"Accept": "image/png"}, patient(), 406, "not-supported"),
    "H04 an unknown type": ("GET", "/Patiant/1", {}, None, 404, "not-supported"),
    "H04 a type in small letters": ("GET", "/patient/1", {}, None, 404, "not-supported"),
    "H04 an unknown type to search": ("GET", "/Patiant", {}, None, 404, "not-supported"),
    "H04 an unknown type to write": ("POST", "/Patiant", {}, patient(), 404, "not-supported"),
    "H04 a path of too many parts": ("GET", "/Patient/1/2/3/4", {}, None, 404, "not-supported"),
    "H04 two slashes": ("GET", "//Patient/1", {}, None, 404, "not-supported"),
    "H04 a slash too many": ("GET", "/Patient/", {}, None, 404, "not-supported"),
    "H05 TRACE": ("TRACE", "/Patient/1", {}, None, 405, "not-supported"),
    "H05 OPTIONS": ("OPTIONS", "/Patient", {}, None, 405, "not-supported"),
    "H05 an unknown verb": ("BREW", "/Patient/1", {}, None, 405, "not-supported"),
    "H05 PUT on a type": ("PUT", "/Patient", {}, patient(), 405, "not-supported"),
    "H05 DELETE on a type": ("DELETE", "/Patient", {}, None, 405, "not-supported"),
    "H05 POST on an instance": ("POST", "/Patient/1", {}, patient(), 405, "not-supported"),
    "H05 DELETE of a version": ("DELETE", "/Patient/1/_history/1", {}, None, 405, "not-supported"),
    "H05 the base": ("PUT", "", {}, None, 405, "not-supported"),
    "H05 PATCH on a type": (
        "PATCH",
        "/Patient",
        {"Content-Type": "application/json-patch+json"},
        b"[]",
        405,
        "not-supported",
    ),
    "H02 a patch of another type": (
        "PATCH",
        "/Patient/1",
        {"Content-Type": "text/plain"},
        b"[]",
        415,
        "not-supported",
    ),
    "H06 too large": ("POST", "/Patient", {}, b" " * (MAX_BODY + 1), 413, "too-long"),
    "H06 a Bundle too large": ("POST", "", {}, b" " * (MAX_BODY + 1), 413, "too-long"),
    "H09 a gzip bomb": ("POST", "/Patient", {"Content-Encoding": "gzip"}, BOMB, 413, "too-long"),
    "H09 a gzip bomb as a form": (
        "POST",
        "/Patient/_search",
        {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"},
        BOMB,
        413,
        "too-long",
    ),
    "H09 half of gzip": (
        "POST",
        "/Patient",
        {"Content-Encoding": "gzip"},
        gzip.compress(b'{"resourceType": "Patient"}')[:-9],
        400,
        "structure",
    ),
    "H09 no gzip": ("POST", "/Patient", {"Content-Encoding": "gzip"}, b"{}", 400, "structure"),
    "H09 something behind gzip": (
        "POST",
        "/Patient",
        {"Content-Encoding": "gzip"},
        gzip.compress(b'{"resourceType": "Patient"}') + b"x",
        400,
        "structure",
    ),
    "H09 another encoding": ("POST", "/Patient", {"Content-Encoding": "br"}, b"{}", 415, "not-supported"),
    "H11 token in the URL, too": ("GET", f"/Patient?access_token={token_of('all')}", {}, None, 400, "invalid"),
    "H12 two Authorization headers": (
        "GET",
        "/Patient",
        {"Authorization": "Bearer a, Bearer b"},
        None,
        400,
        "invalid",
    ),
    "H13 path out of the tree": ("GET", "/Patient/..%2f..%2fetc%2fpasswd", {}, None, 400, "value"),
    "H13 NUL": ("GET", "/Patient/%00", {}, None, 400, "value"),
    "H13 NUL in a write": ("PUT", "/Patient/a%00", {}, patient("a\0"), 400, "value"),
    "H13 NUL in a deletion": ("DELETE", "/Patient/a%00", {}, None, 400, "value"),
    "H13 a line end": ("GET", "/Patient/a%0A", {}, None, 400, "value"),
    "H13 a line end in a deletion": ("DELETE", "/Patient/a%0A", {}, None, 400, "value"),
    "H15 half an ETag": ("PUT", "/Patient/1", {"If-Match": 'W/"abc'}, patient("1"), 400, "value"),
    "H15 an ETag with a space": ("PUT", "/Patient/1", {"If-Match": 'W/"x y"'}, patient("1"), 400, "value"),
    "H15 a star": ("PUT", "/Patient/1", {"If-Match": "*"}, patient("1"), 400, "value"),
    "H15 deletion": ("DELETE", "/Patient/1", {"If-Match": 'W/"abc'}, None, 400, "value"),
    "H17 If-Match, nothing there": ("PUT", "/Patient/1", {"If-Match": 'W/"1"'}, patient("1"), 412, "conflict"),
    "H17 If-Match deletion, nothing there": ("DELETE", "/Patient/1", {"If-Match": 'W/"1"'}, None, 412, "conflict"),
    "H11 token in the form, too": (
        "POST",
        "/Patient/_search",
        {"Content-Type": "application/x-www-form-urlencoded"},
        f"access_token={token_of('all')}".encode(),
        400,
        "invalid",
    ),
    "H20 Idempotency-Key too long": ("POST", "/Patient", {"Idempotency-Key": "k" * 256}, patient(), 400, "value"),
    "H20 Idempotency-Key empty": ("POST", "/Patient", {"Idempotency-Key": '""'}, patient(), 400, "value"),
    "H20 Idempotency-Key with a space": ("POST", "/Patient", {"Idempotency-Key": "a b"}, patient(), 400, "value"),
    "   If-None-Match on a write": (
        "PUT",
        "/Patient/1",
        {"If-None-Match": "*"},
        patient("1"),
        400,
        "not-supported",
    ),
    "   an id with _": ("GET", "/Patient/a_b", {}, None, 400, "value"),
    "   an operation": ("GET", "/Patient/$everything", {}, None, 400, "not-supported"),
    "   a version that is no number": ("GET", "/Patient/1/_history/abc", {}, None, 404, "not-supported"),
    "   a version past all numbers": (
        "GET",
        "/Patient/1/_history/99999999999999999999",
        {},
        None,
        404,
        "not-found",
    ),
    "   _elements that are none": ("GET", "/Patient/1?_elements=shoe", {}, None, 400, "not-supported"),
    "   _elements twice": ("GET", "/Patient/1?_elements=name&_elements=id", {}, None, 400, "value"),
    "   _summary=count of a version": ("GET", "/Patient/1/_history/1?_summary=count", {}, None, 400, "value"),
    "   _summary and _elements": ("GET", "/Patient/1?_summary=true&_elements=name", {}, None, 400, "conflict"),
    "   a search parameter on a read": ("GET", "/Patient/1?name=x", {}, None, 400, "not-supported"),
    "   _since that is no time": ("GET", "/Patient/_history?_since=yesterday", {}, None, 400, "value"),
    "   _at that is no time": ("GET", "/_history?_at=2026-02-30", {}, None, 400, "value"),
    "   _count that is no number": ("GET", "/Patient/_history?_count=-1", {}, None, 400, "value"),
    "   _since twice": ("GET", "/Patient/_history?_since=2026&_since=2025", {}, None, 400, "value"),
    "   a history in another order": ("GET", "/_history?_sort=_lastUpdated", {}, None, 400, "not-supported"),
    "   a history that is searched": ("GET", "/Patient/_history?name=x", {}, None, 400, "not-supported"),
    "   a history in part": ("GET", "/Patient/_history?_elements=name", {}, None, 400, "not-supported"),
    "   a page link that is none": ("GET", "/Patient/_history?_cursor=abc", {}, None, 400, "invalid"),
    "   a parameter on a create": ("POST", "/Patient?identifier=1", {}, patient(), 400, "not-supported"),
    "   a parameter on an update": ("PUT", "/Patient/1?identifier=1", {}, patient("1"), 400, "not-supported"),
    "   a parameter on a deletion": ("DELETE", "/Patient/1?_cascade=true", {}, None, 400, "not-supported"),
}


@pytest.mark.parametrize(("method", "path", "headers", "body", "status", "code"), ROWS.values(), ids=ROWS)
def test_bad_http_is_refused_in_fhirs_words(
    api: Api, method: str, path: str, headers: dict[str, str], body: Any, status: int, code: str
) -> None:
    answer = api.ask(method, path, body, **headers)
    refused(answer, status, code)
    assert set(api.counts().values()) == {0}
    if status == 405:
        assert answer.headers["Allow"]
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_stale_if_match_is_412_and_changes_nothing(api: Api) -> None:
    """H16"""
    api.have(patient("1"), patient("1", active=True))
    before = api.counts()
    refused(api.put("/Patient/1", patient("1", active=False), If_Match='W/"1"'), 412, "conflict")
    refused(api.delete("/Patient/1", If_Match='W/"1"'), 412, "conflict")
    assert api.counts() == before
    assert api.get("/Patient/1").json["active"] is True


def test_a_version_past_what_was_written_is_not_found(api: Api) -> None:
    api.have(patient("1"))
    for number in (2, 2**31 - 1, 2**31, 2**63):
        refused(api.get(f"/Patient/1/_history/{number}"), 404, "not-found")


def test_links_hold_the_configured_base_whatever_the_host_header_says(api: Api) -> None:
    """H14"""
    api.have(patient("1"), patient("2"))
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    for answer in (
        api.get("/Patient?_count=1", **headers),
        api.post("/Patient", patient(), **headers),
        api.get("/Patient/1/_history", **headers),
    ):
        assert "evil" not in answer.text + str(answer.headers)


def test_what_nobody_foresaw_is_a_500_that_says_nothing(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    app = app_of(api.database)

    def fault() -> None:
        raise ValueError("Zanzibarovich")

    app.add_url_rule("/fhir/fault", "fault", fault)
    answer = Api(app, api.database).get("/fault")
    refused(answer, 500, "exception")
    assert "Zanzibarovich" not in answer.text + caplog.text
    assert "unforeseen ValueError" in caplog.text


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+json",
        "application/json",
        "*/*",
        "application/*",
        "application/fhir+json; fhirVersion=4.0",
        "text/html, application/xhtml+xml, */*;q=0.8",
        "Application/FHIR+JSON",
        "",
    ],
)
def test_json_is_given_to_whoever_takes_it(api: Api, accept: str) -> None:
    answer = api.get("/metadata", Accept=accept)
    assert (answer.status_code, answer.mimetype) == (200, "application/fhir+json")


@pytest.mark.parametrize("wanted", ["json", "application/fhir%2Bjson", "application/fhir+json", "application/json"])
def test_format_overrides_accept(api: Api, wanted: str) -> None:
    api.have(patient("1"))
    assert api.get(f"/Patient/1?_format={wanted}", Accept="image/png").status_code == 200
    assert api.get(f"/Patient?_format={wanted}", Accept="image/png").status_code == 200
