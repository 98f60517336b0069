"""Headers of every answer: request ids, conditions on reads, origins of web pages."""

import logging
from email.utils import formatdate

import pytest

from tests.hub.asking import Api, app_of, patient, refused

PAGE = "https://app.example"


@pytest.mark.parametrize("path", ["/Patient/1", "/Patient/2", "/nothing/at/all/here", "/metadata", "/Patiant"])
def test_every_answer_has_the_clients_request_id(api: Api, path: str) -> None:
    api.have(patient("1"))
    assert api.get(path, X_Request_Id="order-7_a.b").headers["X-Request-Id"] == "order-7_a.b"
    assert api.get(path, Authorization="", X_Request_Id="order-7").headers["X-Request-Id"] == "order-7"


@pytest.mark.parametrize("sent", ["", "two words", "a" * 129, "ä", "<script>", "a,b"])
def test_a_request_id_that_fits_no_log_is_made_anew(api: Api, sent: str) -> None:
    first, second = (api.get("/metadata", X_Request_Id=sent).headers.getlist("X-Request-Id") for _ in range(2))
    assert len(first) == len(second) == 1
    assert first != second
    assert first[0] != sent
    assert len(first[0]) == 32


def test_the_access_log_names_the_request(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.have(patient("zanzibarovich"))
    with caplog.at_level(logging.INFO, "hub.access"):
        api.get("/Patient/zanzibarovich", X_Request_Id="order-7")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "hub.access"]
    assert line.startswith("GET read Patient 200 ")
    assert line.endswith(" order-7")
    assert "zanzibarovich" not in line


def test_if_modified_since_is_weighed_in_seconds(api: Api) -> None:
    api.have(patient("1"))
    for path in ("/Patient/1", "/Patient/1/_history/1"):
        changed = api.get(path).headers["Last-Modified"]
        assert api.get(path, If_Modified_Since=changed).status_code == 304
        assert api.get(path, If_Modified_Since=formatdate(4e9, usegmt=True)).status_code == 304
        assert api.get(path, If_Modified_Since=formatdate(1e9, usegmt=True)).status_code == 200
        assert api.get(path, If_Modified_Since="yesterday").status_code == 200
        head = api.ask("HEAD", path, If_Modified_Since=changed)
        assert (head.status_code, head.headers["ETag"]) == (304, 'W/"1"')


def test_if_none_match_counts_and_not_if_modified_since_beside_it(api: Api) -> None:
    api.have(patient("1"))
    changed = api.get("/Patient/1").headers["Last-Modified"]
    other = api.get("/Patient/1", If_None_Match='W/"7"', If_Modified_Since=changed)
    same = api.get("/Patient/1", If_None_Match='W/"1"', If_Modified_Since=formatdate(1e9, usegmt=True))
    assert (other.status_code, same.status_code) == (200, 304)
    assert same.data == b""


def test_without_origins_no_page_is_let_in(api: Api) -> None:
    api.have(patient("1"))
    assert not [name for name in dict(api.get("/Patient/1", Origin=PAGE).headers) if "Access-Control" in name]
    answer = api.ask("OPTIONS", "/Patient/1", Origin=PAGE, Access_Control_Request_Method="GET", Authorization="")
    refused(answer, 405, "not-supported")


def origins(api: Api, *listed: str) -> Api:
    return Api(app_of(api.database, origins=listed), api.database)


def test_a_page_of_a_listed_origin_may_ask_and_reads_the_headers(api: Api) -> None:
    api.have(patient("1"))
    app = origins(api, PAGE)
    for path in ("/Patient/1", "/Patient/2"):
        answer = app.get(path, Origin=PAGE)
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert set(exposed) == {"ETag", "Location", "Content-Location", "Last-Modified", "X-Request-Id"}
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Origin" in answer.headers.getlist("Vary")


def test_a_preflight_needs_no_token_and_tells_what_is_allowed(api: Api) -> None:
    asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization, if-match"}
    answer = origins(api, PAGE).ask("OPTIONS", "/Patient/1", Origin=PAGE, Authorization="", **asked)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, if-match"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.evil.example", "null", ""])
def test_other_origins_get_nothing(api: Api, origin: str) -> None:
    app = origins(api, PAGE)
    answers = [app.get("/Patient", Origin=origin)]
    answers.append(app.ask("OPTIONS", "/Patient", Origin=origin, Access_Control_Request_Method="GET"))
    for answer in answers:
        assert "Access-Control-Allow-Origin" not in answer.headers
    refused(answers[1], 405, "not-supported")


def test_every_origin_is_let_in_only_where_a_star_says_so(api: Api) -> None:
    assert origins(api, "*").get("/Patient", Origin=PAGE).headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("listed", [(), (PAGE,)])
def test_what_the_hub_can_do_may_be_read_by_a_page_of_any_origin(api: Api, listed: tuple[str, ...]) -> None:
    app, other = origins(api, *listed), "https://other.example"
    answer = app.get("/metadata", Origin=other, Authorization="")
    assert answer.headers.getlist("Access-Control-Allow-Origin") == ["*"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    first = app.ask("OPTIONS", "/metadata", Origin=other, Authorization="", Access_Control_Request_Method="GET")
    assert first.status_code == 204


def test_a_plain_options_is_no_preflight(api: Api) -> None:
    refused(origins(api, "*").ask("OPTIONS", "/Patient", Origin=PAGE), 405, "not-supported")
