"""Anybody refers by a signed link: what is kept, what is refused, and that the page tells of nobody."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
import typer
from flask import Flask
from sqlalchemy import delete
from typer.testing import CliRunner
from werkzeug.test import TestResponse

from adapters.referrals.form_rows import FORM, keeper
from adapters.referrals.kinds import FILE_KINDS
from auth.guard import Guard
from auth.pages_blueprint import pages_blueprint
from auth.referral_access import BY_FORM
from hub.audit import journal
from hub.audit.journal import Journal
from hub.audit.record import Record, decoded
from hub.audit.recorder import Recorder
from hub.feeds import files
from hub.feeds.arriving import Arriving
from hub.feeds.configured import default_system
from hub.feeds.loading import Loading
from hub.feeds.records import Feed
from hub.fhir.systems import COMMUNITY_SUPPORT, PROGRAM
from hub.identity import indexing
from hub.identity.desk import Registry
from hub.problems import Problem
from hub.referrals.form import FIELDS
from hub.referrals.form_command import add_form_link
from hub.referrals.form_desk import FormDesk
from hub.referrals.form_links import MOST_DAYS, PATH, form_link_for, opened, signed
from hub.store import merges
from hub.store.engine import Database
from hub.store.tables_auth import sign_in_failure
from tests.auth.browsing import Browser, Page, settings
from tests.hub.referrals.world import BASE, HUB, World

KEY = settings().secret_key()
LIBRARY = "Organization/shelter"
SERVICES = {"ecm": "Enhanced Care Management (ECM)", "housing-deposits": "Housing Deposits"}
SAID = {
    "referrer": "Kim Samplewood",
    "relation": "family",
    "contact": "555-0199",
    "given": "Robin",
    "family": "Testperson-Alder",
    "born": "1980-04-02",
    "cin": "91234567A",
    "phone": "555-0100",
    "service": "housing-deposits",
    "words": "Sleeps in a car (invented)",
}
ROBIN = {"name": [{"family": "Testperson-Alder", "given": ["Robin"]}], "birthDate": "1980-04-02"}


@dataclass
class Door:
    """A browser before the form of the library, and what the hub keeps of it."""

    world: World
    folder: Path
    app: Flask
    browser: Browser
    loading: Loading
    link: str
    keeps: list[str] = field(default_factory=list)

    def get(self) -> TestResponse:
        return self.browser.get(self.link)

    def send(self, page: TestResponse | None = None, **said: str) -> TestResponse:
        (form,) = Page((page or self.get()).text).forms
        hidden = {name: value for name, value in form.fields if name in ("form_token", "number")}
        return self.post({**hidden, **SAID, **said})

    def post(self, fields: dict[str, str], **headers: str) -> TestResponse:
        kind = "application/x-www-form-urlencoded"
        return self.browser.web.post(
            self.link, data=urlencode(fields), content_type=kind, base_url="https://hub.example", headers=headers
        )

    def came(self) -> list[files.File]:
        with self.world.database.read() as connection:
            return files.listed(connection, 99)

    def work(self) -> None:
        """As the worker's lane of files, and its handlers of referrals, do it."""
        for file in reversed(self.came()):
            assert self.loading.run(file.seq).counts["rejected"] == 0
        self.world.work()

    def recorded(self) -> list[Record]:
        paths = sorted(self.folder.glob("audit/*.journal"))
        return [decoded(one) for path in paths for one in journal.read(path, 0, 9999).records]


@pytest.fixture
def door(database: Database, tmp_path: Path) -> Iterator[Door]:
    merges.look_again()
    world = World(database)
    world.county()
    world.have({**world.read("Patient", "robin"), **ROBIN})
    indexing.index(Registry.of(world.writes, BASE), 100)
    kinds = {one.name: one for one in FILE_KINDS}
    feed = Feed(FORM, FORM, default_system(kinds[FORM]))
    loading = Loading(database, world.writes, Arriving(database, tmp_path / "files"), kinds, {FORM: feed})
    audit = Recorder(database, Journal(tmp_path / "audit"))
    desk = FormDesk(HUB, lambda: SERVICES, keeper(lambda: loading), world.rules.zone, KEY, world.now)
    app, guard = Flask("test"), Guard(database, world.now)
    said = settings(HUB_SIGN_IN_ADDRESS_FAILURES="3")
    app.register_blueprint(pages_blueprint(database, said, guard.access_of, world.now, audit=audit, form=desk))
    link = PATH + signed(form_link_for(LIBRARY, world.at, 30), KEY)
    yield Door(world, tmp_path, app, Browser(app), loading, link)
    audit.journal.close()


def test_a_member_who_is_known_is_referred_to_the_hub(door: Door) -> None:
    answer = door.send()
    assert answer.status_code == 303
    assert "Your referral is kept." in door.browser.follow(answer).text
    door.work()
    (request,) = [one for one in door.world.all("ServiceRequest") if one["intent"] == "order"]
    assert request["subject"] == {"reference": "Patient/robin"}
    assert request["requester"] == {"reference": LIBRARY}
    coding = {"system": COMMUNITY_SUPPORT, "code": "housing-deposits", "display": "Housing Deposits"}
    assert request["code"]["coding"] == [coding]
    assert [one["text"] for one in request["note"]] == [
        "Referred by Kim Samplewood (family), 555-0199.",
        "Sleeps in a car (invented)",
    ]
    (task,) = [one for one in door.world.all("Task") if one["owner"]["reference"] == HUB]
    assert (task["for"], task["focus"]) == (request["subject"], {"reference": f"ServiceRequest/{request['id']}"})
    # the hub goes on with it as with any other: the plan is asked
    assert "awaiting-authorization" in str(task["businessStatus"])
    assert len(door.world.all("Patient")) == 1
    assert "telecom" not in door.world.read("Patient", "robin")


def test_the_program_is_asked_for_by_its_own_code(door: Door) -> None:
    door.send(service="ecm")
    door.work()
    (request,) = [one for one in door.world.all("ServiceRequest") if one["intent"] == "order"]
    assert [(one["system"], one["code"]) for one in request["code"]["coding"]] == [(PROGRAM, "ecm")]


def test_somebody_unknown_gets_a_record_of_their_own_and_the_same_page(door: Door) -> None:
    known = door.browser.follow(door.send())
    unknown = door.browser.follow(
        door.send(given="Sky", family="Nobodyhere", born="1991-05-05", cin="", phone="", words="")
    )
    assert known.text == unknown.text
    door.work()
    patients = {one["id"] for one in door.world.all("Patient")}
    assert len(patients) == 2
    (theirs,) = patients - {"robin"}
    subjects = {one["subject"]["reference"] for one in door.world.all("ServiceRequest") if one["intent"] == "order"}
    assert subjects == {"Patient/robin", f"Patient/{theirs}"}


def test_a_number_of_a_member_under_another_name_waits_for_a_person(door: Door) -> None:
    page = door.browser.follow(door.send(given="Sky", family="Nobodyhere", born="1991-05-05"))
    assert "Your referral is kept." in page.text
    door.work()
    assert door.world.all("ServiceRequest") == []
    reviews = [one for one in door.world.all("Task") if "identity-review" in str(one["code"])]
    assert len(door.world.all("Patient")) == 1
    assert len(reviews) <= 1
    assert door.came()[0].counts["waiting"] == 1


def test_the_same_form_sent_twice_is_one_referral(door: Door) -> None:
    page = door.get()
    assert door.send(page).status_code == door.send(page).status_code == 303
    assert len(door.came()) == 1


def test_a_form_that_was_changed_after_it_was_sent_is_another_one(door: Door) -> None:
    page = door.get()
    door.send(page)
    assert door.send(page, service="ecm").status_code == 303
    assert len(door.came()) == 2


def test_it_is_kept_before_anybody_is_thanked(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*words: object) -> None:
        raise Problem("no-space", "the disk is full")

    page = door.get()
    monkeypatch.setattr(Arriving, "__call__", full)
    answer = door.send(page)
    assert answer.status_code >= 500
    assert "Your referral is kept." not in answer.text
    assert door.came() == []


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"referrer": " "}, "referrer"),
        ({"relation": "stranger"}, "relation"),
        ({"contact": ""}, "contact"),
        ({"family": "x" * 101}, "family"),
        ({"given": "a\x00b"}, "given"),
        ({"born": "02.04.1980"}, "born"),
        ({"born": "2026-02-30"}, "born"),
        ({"born": "2026-11-24"}, "born"),
        ({"born": "1880-01-01"}, "born"),
        ({"cin": "12"}, "cin"),
        ({"phone": "5" * 41}, "phone"),
        ({"service": "sobering"}, "service"),
        ({"service": ""}, "service"),
        ({"words": "x" * 1001}, "words"),
    ],
)
def test_what_is_wrong_is_named_at_the_top_and_nothing_is_kept(
    door: Door, said: dict[str, str], wrong: str
) -> None:
    answer = door.send(**said)
    assert answer.status_code == 422
    assert f'<li><a href="#{wrong}">' in answer.text
    assert f'id="{wrong}-fault"' in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    assert "<title>Not sent yet: " in answer.text
    assert door.came() == []


def test_what_was_written_stands_in_the_page_again_and_is_no_html(door: Door) -> None:
    answer = door.send(family='"><b>bold', contact="")
    assert "&#34;&gt;&lt;b&gt;bold" in answer.text
    assert '<option value="housing-deposits" selected>' in answer.text


def test_the_page_names_its_fields_and_works_without_scripts(door: Door) -> None:
    page = door.get()
    found = Page(page.text)
    assert found.scripts == 0
    assert '<html lang="en">' in page.text
    assert page.text.count("<h1>") == 1
    assert {one["id"] for one in found.inputs if one["type"] != "hidden"} <= found.labelled
    assert {f.name for f in FIELDS} <= found.labelled
    for one in FIELDS:
        assert f'id="{one.name}"' in page.text
        assert ("(optional)" in page.text.partition(f'for="{one.name}"')[2].partition("</label>")[0]) == (
            not one.is_required
        )
        if one.hint:
            assert f'aria-describedby="{one.name}-hint"' in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert (page.headers["Cache-Control"], page.headers["Referrer-Policy"]) == ("no-store", "no-referrer")


def test_a_form_from_elsewhere_is_not_kept(door: Door) -> None:
    (form,) = Page(door.get().text).forms
    fields = {**dict(form.fields), **SAID}
    assert door.post({**fields, "form_token": "0" * 64}).status_code == 403
    assert door.post(fields, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    door.browser = Browser(door.app)  # another one, without the cookie
    assert door.post(fields).status_code == 403
    assert door.came() == []


@pytest.mark.parametrize("wrong", ["forged", "tampered", "ended", "of an answer"])
def test_a_link_that_is_none_opens_no_form(door: Door, wrong: str) -> None:
    status = 404
    if wrong == "forged":
        door.link = PATH + signed(form_link_for(LIBRARY, door.world.at, 30), b"another secret of the tests, 32!")
    elif wrong == "tampered":
        other = signed(form_link_for("Organization/clinic", door.world.at, 30), KEY).rpartition(".")[0]
        door.link = f"{PATH}{other}.{door.link.rpartition('.')[2]}"
    elif wrong == "ended":
        door.world.later(days=30)
        status = 410
    else:
        from hub.referrals.links import link_for
        from hub.referrals.links import signed as signed_answer

        door.link = PATH + signed_answer(link_for("one", LIBRARY, door.world.at, 30, "letter"), KEY)
    for answer in (door.get(), door.post({**SAID, "number": "n"})):
        assert answer.status_code == status
        assert "<form" not in answer.text
        assert "This form is closed" in answer.text
    assert door.came() == []


def test_a_body_that_is_too_long_is_refused(door: Door) -> None:
    assert door.send(words="x" * 70_000).status_code == 413
    assert door.came() == []


def test_many_forms_and_many_unknown_links_are_slowed_down(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.link_locks.MOST_FORMS", 2)
    assert [door.send().status_code for _ in range(4)] == [303, 303, 429, 429]
    assert len(door.came()) == 2
    door.world.later(hours=2)
    assert door.send().status_code == 303
    with door.world.database.write() as connection:
        connection.execute(delete(sign_in_failure))
    for _ in range(3):
        assert door.browser.get(f"{PATH}invented").status_code == 404
    assert door.get().status_code == 429


def test_each_form_is_recorded_without_what_stands_in_it(door: Door) -> None:
    door.send()
    (one,) = door.recorded()
    assert (one.interaction, one.type, one.status) == ("create", "Task", 303)
    assert (one.client, one.query) == (BY_FORM + LIBRARY, PATH)
    for secret in (*(SAID[name] for name in ("family", "cin", "contact", "words")), door.link.removeprefix(PATH)):
        assert secret not in str(one)


def test_a_link_to_the_form_is_an_organizations_and_holds_for_a_while(door: Door, tmp_path: Path) -> None:
    made = form_link_for(LIBRARY, door.world.at, 30)
    assert opened(signed(made, KEY), KEY) == made
    for organization, days in (("Patient/robin", 30), (LIBRARY, 0), (LIBRARY, MOST_DAYS + 1)):
        with pytest.raises(ValueError, match=r"A form is|A link to a form"):
            form_link_for(organization, door.world.at, days)
    said = settings(HUB_DATA_DIR=str(tmp_path / "data"), HUB_BASE_URL="https://hub.example")
    app = typer.Typer()
    app.callback()(lambda: None)
    add_form_link(app, lambda: door.world.database, lambda: said)

    def printed(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["form-link", "--organization", *words])
        return done.exit_code, done.output.strip()

    assert printed(LIBRARY)[0] == 1  # nobody coordinates
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "referrals.toml").write_text('organization = "Organization/hub"\n')
    code, address = printed(LIBRARY, "--days", "3")
    assert (code, address.startswith(f"https://hub.example{PATH}")) == (0, True)
    assert printed("Organization/none")[0] == 1


def test_a_hub_that_coordinates_nothing_has_no_form(door: Door) -> None:
    with pytest.raises(Problem, match="closed"):
        FormDesk("", lambda: SERVICES, lambda *_: True, door.world.rules.zone, KEY, door.world.now).link(
            door.link.removeprefix(PATH)
        )
