"""A notice leaves by mail, says when, and waits for a person where nobody knows where to; a provider without FHIR
is asked by a link. The relay is a real SMTP server."""

import re
from email.message import Message
from typing import Any

import pytest
from sqlalchemy import select

from auth.referral_access import access_of_link
from hub import clock, outbox
from hub.notifications.mail import Relay
from hub.problems import CannotStart, Problem
from hub.referrals.contacts import Contacts
from hub.referrals.delivery import NO_ADDRESS, NOT_ASKED, NoticeWork
from hub.referrals.effects import NOTIFY
from hub.referrals.link_desk import LinkDesk
from hub.referrals.links import PATH
from hub.referrals.mail_texts import MailTexts
from hub.referrals.mailing import Mailing
from hub.store import tables
from tests.hub.notifications.deliver.test_channels import Mailroom
from tests.hub.referrals.test_coordination import assign
from tests.hub.referrals.world import BASE, HOUSE, HOUSE_CLIENT, OTHER_HOUSE, SHELTER, World, organization

KEY = b"a secret of the tests, 32 long!!"
SITE = "https://hub.example"
SHELTERS, HOUSES, OTHERS = "news@shelter.invalid", "asked@house.invalid", "asked@other.invalid"
CONTACTS = [
    {"organization": SHELTER, "email": SHELTERS},
    {"organization": HOUSE, "email": HOUSES, "door": "link", "link_days": 7},
    {"organization": OTHER_HOUSE, "email": OTHERS, "door": "link"},
]
OWN = [
    {"system": "email", "value": "old@robin.invalid", "use": "old"},
    {"system": "phone", "value": "555-0100"},
    {"system": "email", "value": "robin@robin.invalid\r\nBcc: all@robin.invalid"},
    {"system": "email", "value": "second@robin.invalid", "rank": 2},
    {"system": "email", "value": "first@robin.invalid", "rank": 1},
]
SPANISH = {"kind": "notice", "language": "es", "subject": "Hay noticias", "text": "Su número es {number}."}


@pytest.fixture
def told(world: World) -> World:
    """Shelter and member are to be told of an authorization, and the house is asked by a link."""
    # what stands in a directory is nobody's configuration
    world.have(organization("shelter") | {"telecom": [{"system": "email", "value": "forged@shelter.invalid"}]})
    world.have({**world.read("Patient", "robin"), "telecom": OWN})
    world.contacts = Contacts(CONTACTS)
    task = world.refer()
    world.work()
    world.authorize(task)
    return world


def handler(world: World, room: Mailroom | None, texts: tuple[dict[str, str], ...] = ()) -> NoticeWork:
    relay = Relay("127.0.0.1", room.port, "hub@county.example", "none") if room else None
    send = Mailing(relay, 20) if relay else None
    contacts, said = world.contacts, MailTexts(texts)
    return NoticeWork(world.database, world.writes, BASE, contacts, said, SITE, KEY, send, world.now)


def deliver(
    world: World, room: Mailroom | None, *texts: dict[str, str], seconds: float = 1
) -> list[outbox.Settled]:
    """As the worker does it."""
    world.later(seconds=seconds)
    at, asked = clock.micros(world.now()), handler(world, room, texts)
    claimed = world.database.writing(lambda connection: outbox.claim(connection, [NOTIFY], at, 60, 20))
    settled = [asked(one) for one in claimed]
    world.database.writing(lambda c: outbox.settle_all(c, list(zip(claimed, settled, strict=True))))
    return settled


def notices(world: World, recipient: str) -> list[dict[str, Any]]:
    return [one for one in world.all("Communication") if one["recipient"][0]["reference"] == recipient]


def status(world: World, recipient: str) -> set[str]:
    return {one["status"] for one in notices(world, recipient)}


def to(room: Mailroom, mailbox: str) -> list[Message]:
    return [one for one in room.taken if one["To"] == mailbox]


def text_of(mail: Message) -> str:
    said = mail.get_payload(decode=True)
    assert isinstance(said, bytes)
    return said.decode()


def address_in(mail: Message) -> str:
    found = re.search(rf"{SITE}{PATH}(\S+)", text_of(mail))
    assert found
    return found[1]


def test_a_notice_leaves_to_the_configured_mailbox_and_says_when(told: World, room: Mailroom) -> None:
    deliver(told, room)
    assert {one["To"] for one in room.taken} == {SHELTERS, HOUSES, "first@robin.invalid"}
    assert status(told, SHELTER) == status(told, "Patient/robin") == {"completed"}
    assert all(one["sent"] for one in told.all("Communication") if one["status"] == "completed")
    assert "forged@shelter.invalid" not in str([one.as_string() for one in room.taken])


def test_a_mail_says_nothing_of_the_member_nor_of_what_is_asked(told: World, room: Mailroom) -> None:
    deliver(told, room)
    assert len(room.taken) > 2
    for mail in room.taken:
        said = (mail.as_string() + text_of(mail)).lower()
        for secret in ("robin testperson", "91234567a", "housing-deposits", "authorized", "assigned", "patient/"):
            assert secret not in said
        assert mail["Auto-Submitted"] == "auto-generated"


def test_the_same_mail_has_the_same_id_at_each_try(told: World, room: Mailroom) -> None:
    room.answer = "451 later"
    deliver(told, room)
    room.answer = "250 yes"
    deliver(told, room, seconds=60)
    ids = {f"<{one['id']}@county.example>" for one in told.all("Communication")}
    assert {one["Message-ID"] for one in room.taken} == ids
    assert len(room.taken) == len(ids)


def test_a_notice_without_an_address_waits_for_a_person_and_goes_on(told: World, room: Mailroom) -> None:
    told.contacts = Contacts(CONTACTS[1:])
    deliver(told, room)
    assert to(room, SHELTERS) == []
    held = notices(told, SHELTER)
    assert {(one["status"], one["statusReason"]["text"]) for one in held} == {("on-hold", NO_ADDRESS)}
    told.contacts = Contacts(CONTACTS)
    told.have(*({**one, "status": "preparation"} for one in held))
    deliver(told, room)
    assert len(to(room, SHELTERS)) == len(held)
    assert status(told, SHELTER) == {"completed"}
    assert all("statusReason" not in one for one in notices(told, SHELTER))


def test_what_could_not_leave_is_tried_again_and_then_waits_for_a_person(told: World, room: Mailroom) -> None:
    room.answer = "451 later"
    settled = deliver(told, room)
    assert {type(one) for one in settled} == {outbox.Later}
    assert status(told, SHELTER) == {"preparation"}
    deliver(told, room, seconds=0.1)  # not due yet
    told.later(seconds=60)
    work = handler(told, room)
    for notice in notices(told, SHELTER):
        assert work(outbox.Work(0, NOTIFY, "last", {"id": notice["id"]}, 10_000, 0)) is not None
    reasons = {one["statusReason"]["text"] for one in notices(told, SHELTER)}
    assert (status(told, SHELTER), reasons) == (
        {"on-hold"},
        {"It could not be delivered: The relay answered 451"},
    )


def test_a_mailbox_that_is_refused_for_good_is_not_tried_again(told: World, room: Mailroom) -> None:
    room.answer = "550 nobody here"
    assert {type(one) for one in deliver(told, room)} == {outbox.Done}
    assert status(told, SHELTER) == {"on-hold"}


def test_without_a_way_to_send_notices_are_read_over_the_api(told: World) -> None:
    deliver(told, None)
    assert status(told, SHELTER) == status(told, "Patient/robin") == {"preparation"}


def test_what_has_left_does_not_leave_twice(told: World, room: Mailroom) -> None:
    deliver(told, room)
    before, work = len(room.taken), handler(told, room)
    for one in told.all("Communication"):
        assert isinstance(work(outbox.Work(0, NOTIFY, "again", {"id": one["id"]}, 1, 0)), outbox.Done)
    assert len(room.taken) == before


def test_the_mail_is_in_the_readers_language_where_there_is_a_text(told: World, room: Mailroom) -> None:
    wish = {"url": "https://calaim-hub.example/fhir/StructureDefinition/preferred-language", "valueCode": "es-MX"}
    for one in notices(told, "Patient/robin"):
        told.have({**one, "extension": [wish]})
    deliver(told, room, SPANISH)
    assert {one["Subject"] for one in to(room, "first@robin.invalid")} == {"Hay noticias"}
    assert {one["Subject"] for one in to(room, SHELTERS)} == {"There is news for you"}


def test_a_provider_is_asked_by_a_link_that_opens_its_referral(told: World, room: Mailroom) -> None:
    deliver(told, room)
    (mail,) = to(room, HOUSES)
    desk = LinkDesk(told.writes, access_of_link, told.rules.zone, KEY, told.now)
    link = desk.link(address_in(mail))
    (asked,) = [one for one in told.all("Task") if one["owner"]["reference"] == HOUSE]
    assert (link.task, link.owner) == (asked["id"], HOUSE)
    assert desk.look(link).state == "requested"
    assert 6 < (link.ends - told.at.timestamp()) / 86400 <= 7
    told.later(days=7)
    with pytest.raises(Problem, match="ended"):
        desk.look(desk.link(address_in(mail)))


def test_a_link_is_mailed_once_and_again_to_whoever_is_asked_next(told: World, room: Mailroom) -> None:
    deliver(told, room)
    (asked,) = [one for one in told.all("Task") if one["owner"]["reference"] == HOUSE]
    told.move(asked["id"], HOUSE_CLIENT, status="accepted")
    told.work()
    told.move(asked["id"], HOUSE_CLIENT, status="on-hold", statusReason={"text": "Waits (invented)"})
    told.work()
    deliver(told, room)
    assert len(to(room, HOUSES)) == 1
    (root,) = [one for one in told.all("Task") if one["owner"]["reference"] == "Organization/hub"]
    assign(told, root["id"], OTHER_HOUSE)
    told.work()
    deliver(told, room)
    (mail,) = to(room, OTHERS)
    desk = LinkDesk(told.writes, access_of_link, told.rules.zone, KEY, told.now)
    assert desk.look(desk.link(address_in(mail))).state == "requested"
    assert len(to(room, HOUSES)) == 1
    # what the first one has tells the state alone: it was taken back
    assert desk.look(desk.link(address_in(to(room, HOUSES)[0]))).facts == ()


def test_a_link_that_is_needed_no_more_is_not_mailed(told: World, room: Mailroom) -> None:
    (asked,) = [one for one in told.all("Task") if one["owner"]["reference"] == HOUSE]
    told.move(asked["id"], HOUSE_CLIENT, status="accepted")
    deliver(told, room)
    assert to(room, HOUSES) == []
    (letter,) = [one for one in notices(told, HOUSE) if one["status"] == "not-done"]
    assert letter["statusReason"] == {"text": NOT_ASKED}


def test_a_link_is_as_guarded_as_its_referral(told: World) -> None:
    (root,) = [one for one in told.all("Task") if one["owner"]["reference"] == "Organization/hub"]
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SUD"}
    told.have({**root, "meta": {"security": [label]}})
    told.work()
    (letter,) = notices(told, HOUSE)
    assert "SUD" in [one["code"] for one in letter["meta"]["security"]]


def test_no_key_stands_in_the_store(told: World, room: Mailroom) -> None:
    deliver(told, room)
    key = address_in(to(room, HOUSES)[0])
    with told.database.read() as connection:
        rows = [*connection.execute(select(tables.outbox)), *connection.execute(select(tables.resource))]
    assert key not in str(rows)


@pytest.mark.parametrize(
    "row",
    [
        {"organization": HOUSE},
        {"organization": HOUSE, "email": "a@b.invalid, c@d.invalid"},
        {"organization": HOUSE, "email": "a@b.invalid\r\nBcc: c@d.invalid"},
        {"organization": HOUSE, "email": "House <a@b.invalid>"},
        {"organization": "Patient/robin", "email": "a@b.invalid"},
        {"organization": HOUSE, "email": "a@b.invalid", "door": "fax"},
        {"organization": "Practitioner/lead", "email": "a@b.invalid", "door": "link"},
        {"organization": HOUSE, "email": "a@b.invalid", "door": "link", "link_days": 0},
        {"organization": HOUSE, "email": "a@b.invalid", "link_days": True},
        {"organization": HOUSE, "email": "a@b.invalid", "phone": "555-0100"},
    ],
)
def test_a_contact_that_cannot_be_used_keeps_the_hub_from_starting(row: dict[str, Any]) -> None:
    with pytest.raises(CannotStart):
        Contacts([row])


def test_two_contacts_of_one_organization_are_a_mistake() -> None:
    with pytest.raises(CannotStart):
        Contacts([CONTACTS[0], CONTACTS[0]])


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "link"},  # without a place for the link
        {"kind": "fax"},
        {"text": "{name}"},
        {"text": "{number"},
        {"subject": "two\nlines"},
        {"language": ""},
        {"reader": "member"},
    ],
)
def test_a_text_that_cannot_be_used_keeps_the_hub_from_starting(change: dict[str, str]) -> None:
    MailTexts([SPANISH])
    with pytest.raises(CannotStart):
        MailTexts([{**SPANISH, **change}])
