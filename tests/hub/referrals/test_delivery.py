"""A notice leaves, says when, and waits for a person where nobody knows where to."""

from dataclasses import dataclass, field

import pytest

from hub import clock, outbox
from hub.referrals.delivery import NO_ADDRESS, NoticeWork
from hub.referrals.effects import NOTIFY
from tests.hub.referrals.world import BASE, SHELTER, World, organization

MAIL = [
    {"system": "email", "value": "old@shelter.invalid", "use": "old"},
    {"system": "phone", "value": "555-0100"},
    {"system": "email", "value": "second@shelter.invalid", "rank": 2},
    {"system": "email", "value": "first@shelter.invalid", "rank": 1},
]


@dataclass
class Post:
    """A way to send: what it says, and what it took."""

    answer: str = ""
    taken: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, mailbox: str, notice: str) -> str:
        self.taken.append((mailbox, notice))
        return self.answer


@pytest.fixture
def told(world: World) -> World:
    """Shelter and member are to be told of an authorization."""
    world.have(organization("shelter") | {"telecom": MAIL})
    task = world.refer()
    world.work()
    world.authorize(task)
    return world


def deliver(world: World, post: Post | None) -> list[outbox.Settled]:
    """As the worker does it."""
    world.later(seconds=1)
    handler = NoticeWork(world.database, world.writes, BASE, post, world.now)
    at = clock.micros(world.now())
    claimed = world.database.writing(lambda connection: outbox.claim(connection, [NOTIFY], at, 60, 20))
    return [handler(one) for one in claimed]


def status(world: World, recipient: str) -> set[str]:
    return {one["status"] for one in world.all("Communication") if one["recipient"][0]["reference"] == recipient}


def test_a_notice_leaves_to_the_address_that_is_used_and_says_when(told: World) -> None:
    post = Post()
    deliver(told, post)
    assert {mailbox for mailbox, _ in post.taken} == {"first@shelter.invalid"}
    assert status(told, SHELTER) == {"completed"}
    assert all(one["sent"] for one in told.all("Communication") if one["status"] == "completed")


def test_a_notice_without_an_address_waits_for_a_person(told: World) -> None:
    deliver(told, Post())
    assert status(told, "Patient/robin") == {"on-hold"}
    held = [one for one in told.all("Communication") if one["status"] == "on-hold"]
    assert {one["statusReason"]["text"] for one in held} == {NO_ADDRESS}


def test_what_could_not_leave_is_tried_again(told: World) -> None:
    outcomes = deliver(told, Post("The relay answered 451"))
    assert outbox.Later in {type(one) for one in outcomes}
    assert status(told, SHELTER) == {"preparation"}


def test_without_a_way_to_send_notices_are_read_over_the_api(told: World) -> None:
    deliver(told, None)
    assert status(told, SHELTER) == status(told, "Patient/robin") == {"preparation"}


def test_what_has_left_does_not_leave_twice(told: World) -> None:
    post = Post()
    deliver(told, post)
    [first, *_] = post.taken
    work = outbox.Work(0, NOTIFY, "again", {"id": first[1].split("/")[1]}, 1, 0)
    before = len(post.taken)
    assert isinstance(NoticeWork(told.database, told.writes, BASE, post, told.now)(work), outbox.Done)
    assert len(post.taken) == before
