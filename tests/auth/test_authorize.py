"""/auth/authorize: who gets a page and who a redirect, what a person is asked, and what the code is for."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from sqlalchemy import func, select

from auth import clients, users
from auth.authorization_codes import redeem
from hub.clock import micros
from hub.clock import now as real
from hub.store import tables, tables_auth
from hub.store.engine import Database
from tests.auth.browsing import (
    APP,
    BACK,
    BASE,
    CHALLENGE,
    FHIR,
    HARBOR,
    STATE,
    VERIFIER,
    Browser,
    Page,
    address,
    app_client,
    emptied,
    have_user,
    request,
    site,
    told,
)
from tests.auth.conftest import HandClock


@pytest.fixture
def people(database: Database) -> Iterator[Database]:
    emptied(database)
    have_user(database)
    with database.write() as connection:
        clients.add(connection, app_client(), real())
    yield database
    emptied(database)


@pytest.fixture
def browser(people: Database, clock: HandClock) -> Browser:
    return Browser(site(people, clock))


ALSO_WRONG: tuple[dict[str, str | None], ...] = (
    {},
    {"response_type": "token"},
    {"scope": "patient/Nothing.rs"},
    {"code_challenge": None},
    {"aud": "https://other.example"},
)


def codes(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(tables_auth.authorization_code)).scalar_one()


def given(database: Database, code: str, clock: HandClock) -> Any:
    with database.write() as connection:
        client = clients.find(connection, APP)
        assert client
        return redeem(connection, client, code, BACK, VERIFIER, clock())


def test_a_person_allows_and_the_app_gets_a_code(browser: Browser, people: Database, clock: HandClock) -> None:
    page = browser.to(address(nonce="n-1"))
    answer = told(browser.allow(page))
    assert set(answer) == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == (STATE, BASE)
    found = given(people, answer["code"], clock)
    with people.read() as connection:
        user = users.found(connection, "robin")
    assert (found.client, found.user, found.nonce) == (APP, user.id, "n-1")
    assert found.scopes == "openid fhirUser user/Patient.rs"
    assert found.context == {"need_patient_banner": True, "smart_style_url": f"{BASE}/auth/smart-style.json"}
    assert found.signed_in == micros(clock())


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": None},
        {"redirect_uri": ""},
        {"redirect_uri": f"{BACK}k"},
        {"redirect_uri": BACK[:-1]},
        {"redirect_uri": f"{BACK}/"},
        {"redirect_uri": f"{BACK}?x=1"},
        {"redirect_uri": f"{BACK}#part"},
        {"redirect_uri": "https://app.example/x/../back"},
        {"redirect_uri": "https://user@app.example/back"},
        {"redirect_uri": "https://app.example@evil.example/back"},
        {"redirect_uri": "https://app.example:443/back"},
        {"redirect_uri": "https://APP.example/back"},
        {"redirect_uri": "https://app.example%2eevil.example/back"},
        {"redirect_uri": "http://localhost:80@evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "https://evil.example/"},
        {"client_id": None},
        {"client_id": "nobody"},
        {"client_id": "asleep"},
        {"client_id": "x' OR 1"},
    ],
)
def test_t22_without_a_registered_address_there_is_a_page_and_no_redirect(
    browser: Browser, people: Database, changes: dict[str, str | None]
) -> None:
    """T22, SEC-09: on every path of errors."""
    if changes == {"client_id": "asleep"}:
        with people.write() as connection:
            clients.add(connection, app_client("asleep"), real())
            clients.disable(connection, "asleep")
    for also in ALSO_WRONG:
        asked = request(**{**changes, **also})
        for answer in (browser.get(f"/auth/authorize?{urlencode(asked)}"), browser.post("/auth/authorize", asked)):
            assert answer.status_code == 400
            assert answer.content_type.startswith("text/html")
            assert "Location" not in answer.headers
            assert "evil" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_an_address_sent_twice_is_no_address(browser: Browser, name: str) -> None:
    asked = request()
    answer = browser.get(f"/auth/authorize?{urlencode([*asked.items(), (name, asked[name])])}")
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


@pytest.mark.parametrize("uri", [f"{BACK}#part", "https://user@app.example/back", "https://app.example/x/../back"])
def test_t22_an_address_that_should_not_have_been_registered_is_refused_all_the_same(
    people: Database, browser: Browser, uri: str
) -> None:
    with people.write() as connection:
        connection.execute(tables.client.update().values(redirect_uris=uri))
    answer = browser.get(address(redirect_uri=uri))
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"state": ""}, "invalid_request"),
        ({"state": "x" * 2049}, "invalid_request"),
        ({"state": "a\nb"}, "invalid_request"),
        # T21: PKCE
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": CHALLENGE[:-1]}, "invalid_request"),
        ({"code_challenge": f"{CHALLENGE}="}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        # T23: another server
        ({"aud": None}, "invalid_request"),
        ({"aud": "https://other.example/fhir"}, "invalid_request"),
        ({"aud": f"{FHIR}.evil.example"}, "invalid_request"),
        ({"aud": BASE}, "invalid_request"),
        ({"aud": f"{FHIR}/Patient"}, "invalid_request"),
        # scopes
        ({"scope": None}, "invalid_scope"),
        ({"scope": "system/Patient.rs"}, "invalid_scope"),
        ({"scope": "user/Patient.sr"}, "invalid_scope"),
        ({"scope": "user/Nothing.rs"}, "invalid_scope"),
        ({"scope": "user/Observation.c"}, "invalid_scope"),
        # launches
        ({"scope": "launch user/Patient.rs"}, "invalid_request"),
        ({"launch": "x" * 43}, "invalid_scope"),
        ({"scope": "launch user/Patient.rs", "launch": "x" * 43}, "invalid_request"),
        ({"scope": "launch user/Patient.rs", "launch": "' OR 1"}, "invalid_request"),
        # OpenID Connect
        ({"request": "x"}, "request_not_supported"),
        ({"request_uri": "https://app.example/x"}, "request_uri_not_supported"),
        ({"prompt": "maybe"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"max_age": "soon"}, "invalid_request"),
    ],
)
def test_the_app_is_told_what_is_wrong_and_gets_no_code(
    browser: Browser, people: Database, changes: dict[str, str | None], error: str
) -> None:
    """T21, T23, SEC-09."""
    asked = request(**changes)
    posted = browser.post("/auth/authorize", asked)
    if posted.headers.get("Location", "").startswith("/auth/"):  # what only a session tells is told later
        posted = browser.follow(posted)
    for answer in (posted, browser.get(f"/auth/authorize?{urlencode(asked)}")):
        found = told(answer)
        assert found["error"] == error
        assert found.get("state") == (STATE if "state" not in changes else None)
        assert "code" not in found
    assert codes(people) == 0


def test_a_parameter_sent_twice_is_told(browser: Browser) -> None:
    found = told(browser.get(f"/auth/authorize?{urlencode([*request().items(), ('scope', 'openid')])}"))
    assert found["error"] == "invalid_request"


def test_an_app_without_the_grant_is_told_t02(browser: Browser, people: Database) -> None:
    with people.write() as connection:
        connection.execute(tables.client.update().values(grant_types="client_credentials"))
    assert told(browser.get(address()))["error"] == "unauthorized_client"


def test_an_address_with_a_query_keeps_it(browser: Browser, people: Database) -> None:
    uri = f"{BACK}?tenant=7"
    with people.write() as connection:
        connection.execute(tables.client.update().values(redirect_uris=uri))
    answer = browser.get(address(redirect_uri=uri, scope=None))
    assert answer.headers["Location"].startswith(f"{uri}&error=invalid_scope")


@pytest.mark.parametrize("aud", [FHIR, f"{FHIR}/"])
def test_the_base_of_this_hub_may_end_in_a_slash(browser: Browser, aud: str) -> None:
    assert "Sign in" in browser.get(address(aud=aud)).text


def test_a_request_by_post_goes_on_by_get_so_that_the_cookie_comes_along(browser: Browser) -> None:
    answer = browser.post("/auth/authorize", request())
    assert answer.status_code == 303
    split = urlsplit(answer.headers["Location"])
    assert split.path == "/auth/authorize"
    assert dict(parse_qsl(split.query)) == request()
    assert "Set-Cookie" not in answer.headers
    assert "Sign in" in browser.follow(answer).text


@pytest.mark.parametrize(
    "sent", [{"content_type": "application/json", "data": "{}"}, {"data": {"x": "y" * 70_000}}]
)
def test_a_post_that_is_no_form_or_too_long_is_refused(browser: Browser, sent: dict[str, Any]) -> None:
    answer = browser.web.post("/auth/authorize", base_url=BASE, **sent)
    assert answer.status_code in (400, 413)
    assert "Location" not in answer.headers


def test_a_query_that_is_too_long_or_not_utf8_is_refused(browser: Browser) -> None:
    for query in (
        f"{urlencode(request())}&x={'y' * 20_000}",
        f"{urlencode(request())}&x=%ff",
        "&".join(["a=b"] * 50),
    ):
        answer = browser.get(f"/auth/authorize?{query}")
        assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_a_form_may_lead_to_the_apps_origin_and_no_further(browser: Browser) -> None:
    for page in (browser.get(address()), browser.to(address())):
        policy = page.headers["Content-Security-Policy"]
        assert policy.endswith("form-action 'self' https://app.example")


def test_an_app_with_a_scheme_of_its_own_is_led_to_it(browser: Browser, people: Database) -> None:
    uri = "example.app:/back"
    with people.write() as connection:
        connection.execute(tables.client.update().values(redirect_uris=uri))
    page = browser.to(address(redirect_uri=uri))
    assert page.headers["Content-Security-Policy"].endswith("form-action 'self' example.app:")
    assert browser.allow(page).headers["Location"].startswith(f"{uri}?code=")


def test_who_is_signed_in_is_asked_and_not_signed_in_again(browser: Browser) -> None:
    browser.to(address())
    assert "Allow" in browser.get(address()).text


def test_the_screen_says_in_words_what_is_asked(browser: Browser) -> None:
    page = browser.to(address(scope="openid fhirUser offline_access user/Patient.rs"))
    for words in ("Chart App", "Know that it is you", "when you are not there", "birth date", "read, search"):
        assert words in page.text
    boxes = {value for _, value in Page(page.text).form("/auth/decision", "scope").boxes}
    assert boxes == {"fhirUser", "offline_access", "user/Patient.rs"}
    seen = Page(page.text)
    assert seen.scripts == 0
    assert {each["id"] for each in seen.inputs if each["type"] != "hidden"} == seen.labelled


def test_the_name_of_an_app_is_escaped(browser: Browser, people: Database) -> None:
    with people.write() as connection:
        connection.execute(tables.client.update().values(name="<script>x</script>"))
    page = browser.to(address())
    assert Page(page.text).scripts == 0


@pytest.mark.parametrize("choice", [{"decision": "deny"}, {}])
def test_a_person_says_no_and_the_app_is_told(browser: Browser, people: Database, choice: dict[str, str]) -> None:
    page = browser.to(address())
    found = told(browser.send(page, "/auth/decision", having="scope", **choice))
    assert (found["error"], found["state"]) == ("access_denied", STATE)
    assert codes(people) == 0


def unticked(page: Any, *left: str) -> list[tuple[str, str]]:
    """The form as it is sent when only these boxes are ticked."""
    fields = [pair for pair in Page(page.text).form("/auth/decision", "scope").fields if pair[0] != "scope"]
    return [*fields, *(("scope", box) for box in left), ("decision", "allow")]


@pytest.mark.parametrize(
    ("left", "scopes"),
    [
        (("user/Patient.rs", "fhirUser", "offline_access"), "openid fhirUser offline_access user/Patient.rs"),
        (("user/Patient.rs",), "openid user/Patient.rs"),
        (("fhirUser",), "openid fhirUser"),
        (("user/Patient.rs", "user/Patient.cruds", "system/*.cruds", "user/*.rs"), "openid user/Patient.rs"),
    ],
)
def test_a_person_leaves_out_what_they_like_and_adds_nothing(
    browser: Browser, people: Database, clock: HandClock, left: tuple[str, ...], scopes: str
) -> None:
    page = browser.to(address(scope="openid fhirUser offline_access user/Patient.rs"))
    answer = browser.web.post("/auth/decision", data=urlencode(unticked(page, *left)), base_url=BASE,
                              content_type="application/x-www-form-urlencoded")  # fmt: skip
    assert given(people, told(answer)["code"], clock).scopes == scopes


def test_who_leaves_out_everything_has_said_no(browser: Browser, people: Database) -> None:
    page = browser.to(address(scope="user/Patient.rs offline_access"))
    answer = browser.web.post("/auth/decision", data=urlencode(unticked(page, "offline_access")), base_url=BASE,
                              content_type="application/x-www-form-urlencoded")  # fmt: skip
    assert told(answer)["error"] == "access_denied"


def test_scopes_asked_in_the_words_of_version_1_are_granted_in_them(
    browser: Browser, people: Database, clock: HandClock
) -> None:
    page = browser.to(address(scope="openid user/Patient.read"))
    assert given(people, told(browser.allow(page))["code"], clock).scopes == "openid user/Patient.read"


def test_a_decision_is_judged_anew(browser: Browser, people: Database) -> None:
    """A form that says another request than the page is judged as that request."""
    page = browser.to(address())
    evil = urlencode(request(redirect_uri="https://evil.example/"))
    answer = browser.allow(page, request=evil)
    assert (answer.status_code, "Location" in answer.headers) == (400, False)
    wider = urlencode(request(scope="user/Observation.cruds"))
    assert told(browser.allow(page, request=wider))["error"] == "invalid_scope"
    assert codes(people) == 0


def test_a_decision_needs_the_cookies_token_and_a_session(
    browser: Browser, people: Database, clock: HandClock
) -> None:
    page = browser.to(address())
    assert browser.allow(page, form_token="0" * 64).status_code == 403
    assert Browser(site(people, clock)).allow(page).status_code == 403
    clock.move(1000)
    late = browser.allow(page)
    assert "Sign in" in late.text
    assert codes(people) == 0


def test_an_app_that_is_switched_off_meanwhile_gets_no_code(browser: Browser, people: Database) -> None:
    page = browser.to(address())
    with people.write() as connection:
        clients.disable(connection, APP)
    assert browser.allow(page).status_code == 400
    assert codes(people) == 0


@pytest.mark.parametrize(
    ("roles", "organization", "ok"),
    [
        (("custodian",), "", False),
        (("custodian",), HARBOR, True),
        (("custodian", "plan"), HARBOR, True),
        (("plan",), HARBOR, False),
        ((), HARBOR, False),
        (("custodian",), "Organization/other", False),
    ],
)
def test_an_app_is_for_people_of_its_role_and_organization(
    people: Database, browser: Browser, roles: tuple[str, ...], organization: str, ok: bool
) -> None:
    with people.write() as connection:
        connection.execute(tables.client.update().values(organization=HARBOR))
        connection.execute(
            tables_auth.user_account.update().values(roles=" ".join(roles), organization=organization)
        )
    lenient = Browser(site(people, HUB_MFA_ROLES="none"))
    page = lenient.to(address())
    if ok:
        assert "code" in told(lenient.allow(page))
    else:
        assert told(page)["error"] == "access_denied"


def test_prompt_login_asks_again_once(browser: Browser, clock: HandClock) -> None:
    browser.to(address())
    clock.move(60)
    page = browser.get(address(prompt="login"))
    assert "Sign in" in page.text
    after = browser.follow(browser.sign_in(page))
    assert "code" in told(browser.allow(after))


@pytest.mark.parametrize(("age", "asked_again"), [(60, False), (400, True)])
def test_max_age_asks_again_who_signed_in_too_long_ago(
    browser: Browser, clock: HandClock, age: int, asked_again: bool
) -> None:
    browser.to(address())
    clock.move(age)
    page = browser.get(address(max_age="300"))
    assert ("Sign in" in page.text) is asked_again
    if asked_again:
        assert "Allow" in browser.follow(browser.sign_in(page)).text


def test_max_age_of_nothing_ends(browser: Browser) -> None:
    assert "Allow" in browser.to(address(max_age="0")).text


def test_prompt_none_never_shows_a_page(browser: Browser) -> None:
    assert told(browser.get(address(prompt="none")))["error"] == "login_required"
    browser.to(address())
    assert told(browser.get(address(prompt="none")))["error"] == "consent_required"


def refresh_row(client: str, user: str, digest: bytes, now: int) -> dict[str, Any]:
    row = {"hash": digest, "family": digest.hex(), "client": client, "user_id": user, "context": "{}"}
    return row | {"scopes": "openid patient/*.rs", "signed_in": now, "issued": now, "expires": now + 10**14}


def test_a_person_sees_their_apps_and_ends_one(browser: Browser, people: Database, clock: HandClock) -> None:
    """PAR-1."""
    other = have_user(people, "kim")
    now = micros(clock())
    with people.write() as connection:
        mine = users.found(connection, "robin").id
        clients.add(connection, replace(app_client("second"), name="Second App"), real())
        rows = [(APP, mine, b"1"), ("second", mine, b"2"), (APP, other, b"3")]
        connection.execute(tables_auth.refresh_token.insert(), [refresh_row(*row, now) for row in rows])
        token = {
            "hash": b"t",
            "client": APP,
            "scopes": "openid",
            "issued": now,
            "expires": now + 1,
            "user_id": mine,
        }
        connection.execute(tables.token.insert().values(token))
    browser.sign_in(browser.get("/auth/sign-in"))
    page = browser.get("/auth/apps")
    assert "Chart App" in page.text
    assert "Second App" in page.text
    after = browser.send(page, "/auth/apps", having="client")
    assert "Chart App" not in after.text
    assert "Second App" in after.text
    with people.read() as connection:
        left = select(tables_auth.refresh_token.c.hash).where(tables_auth.refresh_token.c.used == 0)
        assert {bytes(each) for each in connection.execute(left).scalars()} == {b"2", b"3"}
        assert connection.execute(select(func.count()).select_from(tables.token)).scalar_one() == 0


def test_ending_an_app_needs_the_forms_token(browser: Browser, people: Database, clock: HandClock) -> None:
    with people.write() as connection:
        mine = users.found(connection, "robin").id
        row = refresh_row(APP, mine, b"1", micros(clock()))
        connection.execute(tables_auth.refresh_token.insert().values(row))
    browser.sign_in(browser.get("/auth/sign-in"))
    assert browser.post("/auth/apps", {"client": APP}).status_code == 403
    assert "Chart App" in browser.get("/auth/apps").text


def test_what_is_shown_of_styles_is_public(browser: Browser) -> None:
    style = browser.get("/auth/smart-style.json")
    assert style.headers["Access-Control-Allow-Origin"] == "*"
    assert style.json["color_text"].startswith("#")
    sheet = browser.get("/auth/style.css")
    assert sheet.content_type.startswith("text/css")
