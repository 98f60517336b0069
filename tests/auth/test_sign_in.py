"""Signing in at a browser: what the page is, what the cookie is, and how a forged form fares."""

import statistics
import time
from collections.abc import Iterator

import pyotp
import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from auth import passwords, second_factor, users
from auth.sessions import Cookies
from hub.clock import now as real
from hub.store import tables_auth
from hub.store.engine import Database
from tests.auth.browsing import BASE, PASSWORD, Browser, Page, emptied, have_user, settings, site
from tests.auth.conftest import HandClock

COOKIE = "__Host-hub-session"


@pytest.fixture
def people(database: Database) -> Iterator[Database]:
    emptied(database)
    have_user(database)
    yield database
    emptied(database)


@pytest.fixture
def browser(people: Database, clock: HandClock) -> Browser:
    return Browser(site(people, clock))


def cookie(answer: TestResponse) -> str:
    return next(each for each in answer.headers.getlist("Set-Cookie") if each.startswith(f"{COOKIE}="))


def value(answer: TestResponse) -> str:
    return cookie(answer).partition("=")[2].partition(";")[0]


def is_in(browser: Browser) -> bool:
    return browser.get("/auth/apps").status_code == 200


def test_the_right_password_opens_a_session(browser: Browser) -> None:
    assert not is_in(browser)
    answer = browser.sign_in(browser.get("/auth/sign-in"))
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/auth/apps"
    assert is_in(browser)


def test_a_page_lets_a_browser_do_nothing_else(browser: Browser) -> None:
    answer = browser.get("/auth/sign-in")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "form-action": "'self'",
    }


def test_the_form_can_be_used_without_scripts_and_by_everyone(browser: Browser) -> None:
    page = Page(browser.get("/auth/sign-in").text)
    assert page.scripts == 0
    seen = {each["id"]: each for each in page.inputs if each["type"] != "hidden"}
    assert set(seen) == page.labelled == {"login", "password", "code"}
    told = {name: each["autocomplete"] for name, each in seen.items()}
    assert told == {"login": "username", "password": "current-password", "code": "one-time-code"}


def test_the_cookie_is_for_this_host_and_not_for_scripts(browser: Browser) -> None:
    for answer in (browser.get("/auth/sign-in"), browser.sign_in(browser.get("/auth/sign-in"))):
        parts = {part.strip() for part in cookie(answer).split(";")[1:]}
        assert parts == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
        assert len(value(answer)) == 43


def test_without_https_the_cookie_claims_no_more_than_it_can(people: Database) -> None:
    app = site(people, HUB_BASE_URL="http://127.0.0.1:8080")
    answer = app.test_client().get("/auth/sign-in")
    (found,) = answer.headers.getlist("Set-Cookie")
    assert found.startswith("hub-session=")
    assert "Secure" not in found
    assert "HttpOnly" in found


def test_a_sign_in_makes_a_new_cookie_and_the_old_one_is_nothing(browser: Browser, people: Database) -> None:
    page = browser.get("/auth/sign-in")
    before = value(page)
    after = value(browser.sign_in(page))
    assert before != after
    browser.web.set_cookie(COOKIE, before, domain="hub.example", secure=True)
    assert not is_in(browser)
    with people.read() as connection:
        kept = connection.execute(select(tables_auth.user_session.c.hash)).scalars().all()
    assert len(kept) == 1
    assert after.encode() not in kept


def test_signing_out_ends_the_session_not_only_the_cookie(browser: Browser) -> None:
    answer = browser.sign_in(browser.get("/auth/sign-in"))
    kept = value(answer)
    browser.send(browser.get("/auth/apps"), "/auth/sign-out")
    assert not is_in(browser)
    browser.web.set_cookie(COOKIE, kept, domain="hub.example", secure=True)
    assert not is_in(browser)


@pytest.mark.parametrize(("step", "steps", "there"), [(800, 3, True), (901, 1, False), (800, 36, False)])
def test_a_session_ends_when_nobody_is_there_and_after_a_day_at_work(
    browser: Browser, clock: HandClock, step: int, steps: int, there: bool
) -> None:
    browser.sign_in(browser.get("/auth/sign-in"))
    for _ in range(steps - 1):
        clock.move(step)
        is_in(browser)
    clock.move(step)
    assert is_in(browser) is there


def test_a_disabled_account_is_out_at_once(browser: Browser, people: Database, clock: HandClock) -> None:
    browser.sign_in(browser.get("/auth/sign-in"))
    people.writing(lambda c: users.set_active(c, "robin", False, clock()))
    assert not is_in(browser)


@pytest.mark.parametrize(
    ("login", "password"), [("nobody", PASSWORD), ("robin", "wrong"), ("asleep", PASSWORD), ("locked", PASSWORD)]
)
def test_all_that_fails_is_answered_alike(
    people: Database, browser: Browser, clock: HandClock, login: str, password: str
) -> None:
    have_user(people, "asleep")
    have_user(people, "locked")
    people.writing(lambda c: users.set_active(c, "asleep", False, clock()))
    if login == "locked":
        for _ in range(5):
            browser.sign_in(browser.get("/auth/sign-in"), "locked", "wrong")
    answer = browser.sign_in(browser.get("/auth/sign-in"), login, password)
    plain = browser.sign_in(browser.get("/auth/sign-in"), "x", "y")
    assert answer.status_code == plain.status_code == 403
    assert answer.text.replace(f'value="{login}"', "") == plain.text.replace('value="x"', "")
    assert not is_in(browser)


@pytest.mark.usefixtures("real_costs")
def test_all_that_fails_takes_as_long(people: Database, browser: Browser) -> None:
    """The work is the same: a hash is checked whether or not there is one."""
    people.writing(lambda c: users.set_password(c, "robin", passwords.hashed(PASSWORD, "robin", 12), real()))
    page = browser.get("/auth/sign-in")

    def middle(login: str) -> float:
        spent = []
        for _ in range(3):
            began = time.process_time()
            browser.sign_in(page, login, "wrong")
            spent.append(time.process_time() - began)
        return statistics.median(spent)

    known, unknown = middle("robin"), middle("nobody")
    assert known > 0.01
    assert 0.4 < known / unknown < 2.5


def test_what_somebody_typed_is_escaped(browser: Browser) -> None:
    nasty = '"><script>alert(1)</script>'
    answer = browser.sign_in(browser.get("/auth/sign-in"), nasty, "wrong")
    assert Page(answer.text).scripts == 0
    assert nasty not in answer.text


def test_a_password_is_neither_shown_again_nor_logged(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    answer = browser.sign_in(browser.get("/auth/sign-in"), "robin-mistyped", "a mistyped secret")
    assert "a mistyped secret" not in answer.text
    assert "a mistyped secret" not in caplog.text
    assert "robin-mistyped" not in caplog.text
    assert "Sign-in refused" in caplog.text


@pytest.mark.parametrize("forged", ["", "0" * 64, "é"])
def test_a_form_without_the_cookies_token_is_refused(browser: Browser, forged: str) -> None:
    page = browser.get("/auth/sign-in")
    answer = browser.send(page, "/auth/sign-in", login="robin", password=PASSWORD, form_token=forged)
    assert answer.status_code == 403
    assert not is_in(browser)


def test_a_form_made_for_another_browser_is_refused(browser: Browser, people: Database, clock: HandClock) -> None:
    """Else somebody could be signed in to another's account without noticing."""
    other = Browser(site(people, clock))
    page = other.get("/auth/sign-in")
    browser.get("/auth/sign-in")
    assert browser.sign_in(page).status_code == 403
    fresh = Browser(site(people, clock))
    assert fresh.sign_in(page).status_code == 403


def test_a_form_from_another_site_is_refused(browser: Browser) -> None:
    page = browser.get("/auth/sign-in")
    token = Cookies(settings().secret_key(), True).form_token(value(page))
    data = {"login": "robin", "password": PASSWORD, "form_token": token, "request": ""}
    for told, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 303)):
        answer = browser.web.post("/auth/sign-in", data=data, base_url=BASE, headers={"Sec-Fetch-Site": told})
        assert answer.status_code == status, told


def test_a_form_of_another_media_type_is_refused(browser: Browser) -> None:
    token = Cookies(settings().secret_key(), True).form_token(value(browser.get("/auth/sign-in")))
    data = {"login": "robin", "password": PASSWORD, "form_token": token, "request": ""}
    answer = browser.web.post("/auth/sign-in", data=data, base_url=BASE, content_type="multipart/form-data")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/auth/sign-in", 405),
        ("GET", "/auth/sign-out", 405),
        ("GET", "/auth/patient", 405),
        ("GET", "/auth/decision", 405),
    ],
)
def test_a_page_is_not_opened_another_way(browser: Browser, method: str, path: str, status: int) -> None:
    answer = browser.web.open(path, method=method, base_url=BASE)
    assert answer.status_code == status


def test_a_long_form_is_refused(browser: Browser) -> None:
    page = browser.get("/auth/sign-in")
    assert browser.send(page, "/auth/sign-in", login="robin", password="x" * 70_000).status_code == 413


def test_the_second_factor_is_on_the_same_form(browser: Browser, people: Database, clock: HandClock) -> None:
    secret = second_factor.new_secret()
    sealed = second_factor.sealed(settings().secret_key(), secret, clock())
    people.writing(lambda c: users.set_second_factor(c, "robin", sealed, clock()))
    assert browser.sign_in(browser.get("/auth/sign-in")).status_code == 403
    code = pyotp.TOTP(secret).at(clock())
    assert browser.sign_in(browser.get("/auth/sign-in"), code=code).status_code == 303
    assert is_in(browser)


def test_a_role_that_needs_a_second_factor_is_told_nothing_more(people: Database, clock: HandClock) -> None:
    have_user(people, "kim", roles=("auditor",))
    browser = Browser(site(people, clock))
    assert browser.sign_in(browser.get("/auth/sign-in"), "kim").status_code == 403
    lenient = Browser(site(people, clock, HUB_MFA_ROLES="none"))
    assert lenient.sign_in(lenient.get("/auth/sign-in"), "kim").status_code == 303


def test_an_address_that_fails_too_often_waits(people: Database, clock: HandClock) -> None:
    browser = Browser(site(people, clock, HUB_SIGN_IN_ADDRESS_FAILURES="4"))
    page = browser.get("/auth/sign-in")
    for number in range(4):
        browser.sign_in(page, f"guess-{number}", "wrong")
    assert browser.sign_in(page).status_code == 403
    clock.move(16 * 60)
    assert browser.sign_in(browser.get("/auth/sign-in")).status_code == 303


def test_when_the_database_fails_nobody_gets_in_and_nothing_is_told(
    people: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """SEC-11: what cannot be decided is refused."""
    browser = Browser(site(people, clock))
    page = browser.get("/auth/sign-in")

    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("auth.users.find", fail)
    answer = browser.sign_in(page)
    assert answer.status_code == 500
    assert "secret detail" not in answer.text + caplog.text
    assert not is_in(browser)
