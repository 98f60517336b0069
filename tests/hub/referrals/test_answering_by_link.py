"""A provider without FHIR answers by a signed link: what is shown, what moves, what is refused and recorded."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import typer
from flask import Flask
from sqlalchemy import delete, select
from typer.testing import CliRunner
from werkzeug.test import TestResponse

from auth.guard import Guard
from auth.pages_blueprint import pages_blueprint
from auth.referral_access import WHO, access_of_link
from hub.audit import journal
from hub.audit.journal import Journal
from hub.audit.record import Record, decoded
from hub.audit.recorder import Recorder
from hub.problems import Problem
from hub.referrals.case import case_of
from hub.referrals.link_command import add_link
from hub.referrals.link_desk import LinkDesk
from hub.referrals.link_letters import letter
from hub.referrals.links import PATH, link_for, signed
from hub.search.edges import address
from hub.store.tables_audit import audit_pending
from hub.store.tables_auth import sign_in_failure
from tests.auth.browsing import Browser, Page, settings
from tests.hub.referrals.world import (
    ACT,
    BASE,
    HOUSE,
    HOUSE_CLIENT,
    HUB,
    OTHER_HOUSE,
    SHELTER_CLIENT,
    World,
    activity,
    referral,
    request,
    to,
)

KEY = settings().secret_key()
MOST = 3  # unknown links of one address
REASON = "No free flat (invented)"
DONE = {"done": "Deposit paid (invented)", "day": "2026-11-23"}
MEMBER = {
    "name": [{"family": "Testperson-Alder", "given": ["Robin"]}],
    "birthDate": "1980-04-02",
    "telecom": [{"system": "phone", "value": "555-0100"}],
    "maritalStatus": {"text": "not for a housing provider"},
}


@dataclass
class Door:
    """A browser before the page of one referral, and what the hub recorded."""

    world: World
    folder: Path
    app: Flask
    browser: Browser
    desk: LinkDesk
    task: str
    link: str
    seen: int = 0
    letters: list[str] = field(default_factory=list)

    def get(self) -> TestResponse:
        return self.browser.get(self.link)

    def send(self, to_: str, page: TestResponse | None = None, **said: str) -> TestResponse:
        """The form of this move as it stands on the page, with what is written into it."""
        forms = Page((page or self.get()).text).forms
        (form,) = (one for one in forms if ("to", to_) in one.fields)
        return self.post({**dict(form.fields), **said})

    def post(self, fields: dict[str, str], **headers: str) -> TestResponse:
        kind = "application/x-www-form-urlencoded"
        return self.browser.web.post(
            self.link, data=urlencode(fields), content_type=kind, base_url="https://hub.example", headers=headers
        )

    def stands(self) -> dict[str, Any]:
        return self.world.read("Task", self.task)

    def link_of(self, owner: str, days: int = 14, key: bytes = KEY, task: str = "") -> str:
        """A new link, with the letter that stands for it."""
        made = link_for(task or self.task, owner, self.world.at, days, f"letter-{len(self.letters)}")
        self.letters.append(made.letter)
        with self.world.database.read() as connection:
            case = case_of(connection, self.task, BASE)
        assert case is not None
        known = replace(case.task, resource={**case.task.resource, "id": made.task})
        self.world.have(letter(case, known, made, HUB, status="completed"))
        return PATH + signed(made, key)

    def new(self) -> list[Record]:
        """What was recorded since this was asked last, beside the commits."""
        paths = sorted(self.folder.glob("*.journal"))
        found = [one for path in paths for one in journal.read(path, 0, 9999).records]
        fresh, self.seen = found[self.seen :], len(found)
        return [decoded(one) for one in fresh]

    def committed(self) -> list[Record]:
        with self.world.database.read() as connection:
            rows = connection.execute(select(audit_pending).order_by(audit_pending.c.id)).all()
        return [decoded(row.record) for row in rows]


@pytest.fixture
def door(world: World, tmp_path: Path) -> Iterator[Door]:
    with world.database.write() as connection:
        for table in (sign_in_failure, audit_pending):
            connection.execute(delete(table))
    world.have(request() | {"id": "asked"}, {**world.read("Patient", "robin"), **MEMBER})
    task = world.refer(focus=to("ServiceRequest", "asked"), owner={"reference": HOUSE})
    audit = Recorder(world.database, Journal(tmp_path / "audit"))
    desk = LinkDesk(world.writes, access_of_link, world.rules.zone, KEY, world.now)
    app, guard = Flask("test"), Guard(world.database, world.now)
    said = settings(HUB_SIGN_IN_ADDRESS_FAILURES=str(MOST))
    pages = pages_blueprint(world.database, said, guard.access_of, world.now, audit=audit, desk=desk)
    app.register_blueprint(pages)
    made = Door(world, tmp_path / "audit", app, Browser(app), desk, task, "")
    made.link = made.link_of(HOUSE)
    yield made
    audit.journal.close()


def test_the_page_shows_what_the_owner_may_see_and_a_look_changes_nothing(door: Door) -> None:
    before = door.stands()
    page = door.get()
    assert page.status_code == 200
    for shown in ("Robin Testperson-Alder", "1980-04-02", "555-0100", "Example shelter", "waits for your answer"):
        assert shown in page.text
    offered = [dict(one.fields)["to"] for one in Page(page.text).forms]
    assert offered == ["accepted", "on-hold", "rejected"]
    assert door.browser.web.head(door.link, base_url="https://hub.example").status_code == 200
    assert door.stands() == before


def test_what_leaves_is_the_minimum_set_of_the_role(door: Door) -> None:
    said = door.desk.look(door.desk.link(door.link.removeprefix(PATH)))
    (member,) = (json.loads(one.body or b"") for one in said.rows if one.type == "Patient")
    assert member["birthDate"] == MEMBER["birthDate"]
    assert "maritalStatus" in door.world.read("Patient", "robin")
    assert "maritalStatus" not in member


def test_the_address_says_nothing_of_the_member(door: Door) -> None:
    said, _, _ = door.link.removeprefix(PATH).partition(".")
    told = base64.urlsafe_b64decode(said + "=" * (-len(said) % 4))
    ends = int((door.world.at + timedelta(days=14)).timestamp())
    assert json.loads(told) == [door.task, HOUSE, ends, door.letters[0]]


def test_the_page_works_without_scripts_is_kept_nowhere_and_names_its_fields(door: Door) -> None:
    page = door.get()
    found = Page(page.text)
    assert found.scripts == 0
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert '<html lang="en">' in page.text
    assert '<meta name="robots" content="noindex">' in page.text
    assert {one["id"] for one in found.inputs if one["type"] != "hidden"} == found.labelled


def test_accepted_begun_and_done_in_one_commit_with_what_was_done(door: Door) -> None:
    answer = door.send("accepted")
    assert answer.status_code == 303
    kept = door.browser.follow(answer)
    assert "Your answer is kept." in kept.text
    assert door.stands()["status"] == "accepted"
    assert door.send("in-progress").status_code == 303
    assert door.send("completed", **DONE).status_code == 303
    task = door.stands()
    assert task["status"] == "completed"
    (procedure,) = door.world.all("Procedure")
    assert task["output"] == [activity(procedure["id"])]
    assert (procedure["code"], procedure["performedDateTime"]) == ({"text": DONE["done"]}, DONE["day"])
    assert (procedure["subject"], procedure["basedOn"]) == (to("Patient", "robin"), [to("ServiceRequest", "asked")])
    assert procedure["performer"] == [{"actor": {"reference": HOUSE}}]
    after = door.get()
    assert "It is closed: done." in after.text
    assert "nothing for you to answer" in after.text


def test_declined_with_a_reason_and_then_only_the_state_is_told(door: Door) -> None:
    assert door.send("rejected", reason=REASON).status_code == 303
    assert (door.stands()["status"], door.stands()["statusReason"]) == ("rejected", {"text": REASON})
    door.world.have(request(status="revoked") | {"id": "asked"})  # as the hub does: the relation is over
    page = door.get()
    assert page.status_code == 200
    assert "It was declined." in page.text
    assert "Testperson" not in page.text
    assert Page(page.text).forms == []


def test_it_waits_and_goes_on(door: Door) -> None:
    assert door.send("on-hold", reason="Waits for papers (invented)").status_code == 303
    assert door.stands()["statusReason"] == {"text": "Waits for papers (invented)"}
    assert door.send("accepted").status_code == 303
    assert "statusReason" not in door.stands()


def test_what_is_missing_is_named_at_the_top_and_nothing_moves(door: Door) -> None:
    page = door.send("rejected", reason=" ")
    assert page.status_code == 422
    assert '<a href="#rejected-reason">Write the reason.</a>' in page.text
    assert 'aria-invalid="true"' in page.text
    assert door.stands()["status"] == "requested"
    door.send("accepted")
    page = door.send("completed", done="<b>bold</b>", day="2026-11-24")
    assert (page.status_code, door.stands()["status"]) == (422, "accepted")
    assert "&lt;b&gt;bold" in page.text
    assert door.world.all("Procedure") == []


def test_a_form_from_elsewhere_moves_nothing(door: Door) -> None:
    fields = dict(Page(door.get().text).forms[0].fields)
    assert door.post({**fields, "form_token": "0" * 64}).status_code == 403
    assert door.post(fields, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    door.browser = Browser(door.app)  # another one, without the cookie
    assert door.post(fields).status_code == 403
    assert door.stands()["status"] == "requested"


def test_what_changed_meanwhile_or_is_not_legal_is_shown_anew(door: Door) -> None:
    page = door.get()
    door.send("accepted", page)
    again = door.send("accepted", page)
    assert again.status_code == 409
    assert "changed since you opened" in again.text
    fields = dict(Page(door.get().text).forms[0].fields)
    assert door.post({**fields, "to": "cancelled"}).status_code == 409
    assert door.stands()["status"] == "accepted"
    page = door.get()
    door.send("on-hold", reason="Waits for papers (invented)")
    assert door.send("in-progress", page).status_code == 409  # legal, but said of another state
    assert door.stands()["status"] == "on-hold"


@pytest.mark.parametrize("wrong", ["forged", "another's", "ended", "handed on", "no Task", "revoked", "no letter"])
def test_a_link_that_is_none_shows_nothing(door: Door, wrong: str) -> None:
    status = 410
    if wrong == "forged":
        door.link, status = door.link_of(HOUSE, key=b"another secret of the tests, 32!"), 404
    elif wrong == "another's":
        door.link = door.link_of(OTHER_HOUSE)
    elif wrong == "ended":
        door.world.later(days=14)
    elif wrong == "handed on":
        door.world.move(door.task, SHELTER_CLIENT, owner={"reference": OTHER_HOUSE})
    elif wrong == "revoked":
        door.world.have({**door.world.read("Communication", door.letters[0]), "status": "stopped"})
    elif wrong == "no letter":
        said = link_for(door.task, HOUSE, door.world.at, 14, "none")
        door.link = PATH + signed(said, KEY)
    else:
        door.link = door.link_of(HOUSE, task="none")
    page = door.get()
    assert page.status_code == status
    assert "does not work, or not any more" in page.text
    assert "Testperson" not in page.text
    assert "waits for your answer" not in page.text
    assert door.post({"to": "accepted", "version": "1"}).status_code == status
    assert door.stands()["status"] == "requested"


def test_a_guarded_referral_is_not_shown_to_whom_no_consent_opens_it(door: Door) -> None:
    label = {"system": ACT, "code": "SUD"}
    door.world.have({**door.stands(), "meta": {"security": [label]}})
    page = door.get()
    assert page.status_code == 410
    assert "Testperson" not in page.text


def test_who_tries_unknown_links_is_locked_for_a_while(door: Door) -> None:
    for _ in range(MOST):
        assert door.browser.get(f"{PATH}invented").status_code == 404
    assert door.get().status_code == 429
    door.world.later(minutes=60)
    assert door.get().status_code == 200


def test_each_look_and_each_answer_is_recorded_without_the_link(door: Door) -> None:
    door.get()
    (look,) = door.new()
    assert (look.interaction, look.type, look.id, look.status) == ("read", "Task", door.task, 200)
    assert (look.client, look.role, look.query) == (WHO + HOUSE, "ilos-provider", PATH)
    assert [one.patient for one in look.releases] == [address("Patient", "robin")]
    door.send("rejected", reason=REASON)
    assert [one.status for one in door.new()] == [200]  # the page; the move goes along with its commit
    (move,) = door.committed()
    assert (move.interaction, move.type, move.id, move.client) == ("patch", "Task", door.task, WHO + HOUSE)
    door.browser.get(f"{PATH}invented")
    (forged,) = door.new()
    assert (forged.status, forged.id, forged.client) == (404, "", "")
    for one in (look, move, forged):
        assert door.link.removeprefix(PATH) not in str(one)
        assert REASON not in str(one)


def test_a_refused_answer_is_recorded_and_so_is_what_its_page_shows(door: Door) -> None:
    page = door.get()
    door.new()
    forms = Page(page.text).forms
    assert door.post({**dict(forms[2].fields), "reason": ""}).status_code == 422
    look, refused = door.new()
    assert (look.interaction, look.status, len(look.releases)) == ("read", 200, 1)
    assert (refused.method, refused.status, refused.id, refused.releases) == ("POST", 422, door.task, ())
    assert door.post({"to": "accepted"}).status_code == 403
    (elsewhere,) = door.new()
    assert (elsewhere.status, elsewhere.releases) == (403, ())


def test_a_client_does_not_make_a_revoked_link_hold_again(door: Door) -> None:
    stopped = {**door.world.read("Communication", door.letters[0]), "status": "stopped"}
    door.world.have(stopped)
    for status in ("completed", "preparation"):
        for client in (SHELTER_CLIENT, HOUSE_CLIENT):
            with pytest.raises(Problem, match="Links to referrals are the hub's own"):
                door.world.have({**stopped, "status": status}, access=client)
    assert door.get().status_code == 410


def test_when_it_is_over_only_the_state_is_told(door: Door) -> None:
    door.send("accepted")
    door.send("completed", **DONE)
    page = door.get()
    assert page.status_code == 200
    assert "It is closed: done." in page.text
    for gone in ("Testperson", "Example shelter", "555-0100"):
        assert gone not in page.text


@dataclass
class Desk:
    """The commands of a deployment."""

    app: typer.Typer

    def __call__(self, *words: str) -> Any:
        return CliRunner().invoke(self.app, list(words))


@pytest.fixture
def command(world: World, tmp_path: Path) -> Desk:
    (tmp_path / "referrals.toml").write_text('organization = "Organization/hub"\n')
    said = settings(HUB_DATA_DIR=str(tmp_path), HUB_BASE_URL="https://hub.example")
    app = typer.Typer()
    app.callback()(lambda: None)
    world.have(
        request() | {"id": "asked"}, referral(id="with-house", owner={"reference": HOUSE}), referral(id="with-hub")
    )
    return Desk(add_link(app, lambda: world.writes, lambda: said))


def test_a_link_is_made_for_whoever_is_asked(command: Desk) -> None:
    told = command("link", "Task/with-house", "--days", "3").output.strip()
    assert told.startswith(f"https://hub.example{PATH}")
    assert command("link", "with-hub").exit_code == 1
    assert command("link", "none").exit_code == 1
    assert command("link", "with-house", "--days", "91").exit_code == 2


def test_links_are_listed_and_revoked_one_by_one(world: World, command: Desk) -> None:
    addresses = [command("link", "with-house").output.strip() for _ in range(2)]
    desk = LinkDesk(world.writes, access_of_link, world.rules.zone, KEY)
    first, second = (desk.link(one.rpartition("/")[2]) for one in addresses)
    for one in (first, second):
        assert f"Communication/{one.letter}" in command("links").output
        assert desk.look(one).state == "requested"
    assert command("revoke", f"Communication/{first.letter}").exit_code == 0
    with pytest.raises(Problem, match="revoked"):
        desk.look(first)
    assert desk.look(second).state == "requested"
    listed = command("links").output
    assert (first.letter in listed, second.letter in listed) == (False, True)
    assert "stopped" in command("links", "--all").output
    world.have({"resourceType": "Communication", "id": "other", "status": "completed"})
    for none in ("Communication/other", "none"):
        assert command("revoke", none).exit_code == 1
