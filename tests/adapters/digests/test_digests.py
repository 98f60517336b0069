"""The digest of a panel: each event in one file, as its reader may see it now, whatever happens in between."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from adapters.digests.configured import topics_of, wanted
from adapters.digests.daily import Daily
from adapters.digests.sending import Sent, send_digest
from adapters.files.faults import TAKEN, Fault
from hub import clock
from hub.access import Access
from hub.feeds.records import Feed
from hub.notifications.digests import Digest, Digests
from hub.notifications.fan_out import FanOut
from hub.notifications.kept import forget
from hub.notifications.looking import Looking
from hub.problems import CannotStart, Problem
from hub.rights.facts import client_number
from hub.sight import ALL, OWNED, PANEL
from hub.store.engine import Database
from hub.store.read import Stored
from hub.transactions import Transactions
from tests.adapters.files.conftest import SftpServer
from tests.adapters.files.conftest import sftp_server as sftp_server
from tests.hub.notifications.conftest import BASE, Receiver, SmallHub, encounter
from tests.hub.sighted import HARBOR, caller, labelled, panel
from tests.hub.sighted_world import agreed

CLIENT = "harbor-ehr"
CIN = "https://hub.example/id/cin"
STAYS = ("encounter-admission", "encounter-discharge")


@dataclass
class World:
    """A hub with a panel of one patient, a client that sees the panel, and a folder for what is sent to it."""

    hub: SmallHub
    folder: Path
    access: Access
    told: list[Stored] = field(default_factory=list)
    topics: tuple[str, ...] = STAYS

    @property
    def digests(self) -> Digests:
        own = Transactions(self.hub.database, lambda *_: [], lambda _: [], BASE, self.hub.now)
        return Digests(self.hub.database, own, BASE, self.hub.now)

    @property
    def digest(self) -> Digest:
        return Digest("lantern", CLIENT, "Group/panel", topics_of(self.topics))

    @property
    def feed(self) -> Feed:
        options = {"folder": {"path": str(self.folder), "match": "*"}, "cin_system": CIN, "clients": [CLIENT]}
        return Feed("lantern", "plan-834", "urn:example:feed", options=options)

    def tell(self, rows: Sequence[Stored]) -> None:
        self.told += rows

    def send(self, **more: Any) -> Sent:
        return send_digest(self.digests, self.digest, self.access, self.feed, self.tell, **more)

    def happens(self, identity: str = "enc-1", status: str = "in-progress", **more: Any) -> None:
        self.hub.put(encounter(identity, "seen", status) | more)
        self.hub.wait(milliseconds=5)
        self.hub.drive("event")

    def names(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "out").iterdir())

    def rows(self, sent: Sent) -> list[dict[str, str]]:
        text = (self.folder / "out" / sent.name).read_text(encoding="utf-8")
        return list(csv.DictReader(io.StringIO(text)))

    def told_of(self, sent: Sent) -> list[tuple[str, str, str]]:
        return [(row["topic"], row["number"], row["resource"]) for row in self.rows(sent)]


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    nowhere = cast(Receiver, SimpleNamespace(host="127.0.0.1:1", url="http://127.0.0.1:1/"))
    hub = SmallHub(database, nowhere)
    holders = (HARBOR, client_number(CLIENT))
    made = World(hub, tmp_path / "feed", caller(CLIENT, own=0, holders=holders, kinds=PANEL | OWNED))
    look = Looking(database, lambda name: made.access if name == CLIENT else None, BASE)
    hub.handlers["event"] = FanOut(database, look, BASE, hub.now)
    hub.put({"resourceType": "Patient", "id": "seen", "identifier": [{"system": CIN, "value": "91234567A"}]})
    hub.put({"resourceType": "Patient", "id": "unseen"})
    hub.put(panel("seen"))
    return made


def test_a_file_tells_what_happened_since_the_last_one(world: World) -> None:
    first = world.send()
    assert (first.name, first.rows) == ("digest-harbor-ehr-panel-000001.csv", 0)
    world.happens("enc-1")
    world.happens("enc-2")
    second = world.send()
    assert world.told_of(second) == [
        ("encounter-admission", "1", "Encounter/enc-1"),
        ("encounter-admission", "2", "Encounter/enc-2"),
    ]
    world.happens("enc-1", "finished")
    third = world.send()
    assert world.told_of(third) == [("encounter-discharge", "1", "Encounter/enc-1")]
    assert world.names() == [f"digest-harbor-ehr-panel-{number:06}.csv" for number in (1, 2, 3)]
    (row,) = world.rows(third)
    assert (row["member"], row["cin"], row["status"], row["what"]) == (
        "Patient/seen",
        "91234567A",
        "finished",
        "IMP",
    )


def test_what_leaves_is_recorded(world: World) -> None:
    world.send()
    world.happens("enc-1")
    world.send()
    assert [f"{row.type}/{row.id}" for row in world.told] == ["Encounter/enc-1", "Patient/seen"]


def test_nothing_leaves_where_it_cannot_be_recorded(world: World) -> None:
    world.send()
    world.happens("enc-1")

    def cannot(_: Sequence[Stored]) -> None:
        raise Problem("busy", "The audit cannot be written")

    with pytest.raises(Problem):
        send_digest(world.digests, world.digest, world.access, world.feed, cannot)
    assert len(world.names()) == 1
    assert world.send().rows == 1


@pytest.mark.parametrize("after", ["before it was put", "after it was put"])
def test_who_is_killed_in_between_makes_the_same_file_again(world: World, after: str) -> None:
    world.send()
    world.happens("enc-1")

    def dies(path: Path, feed: Feed, name: str, replaces: bool) -> None:
        if after == "after it was put":
            out = world.folder / "out"
            (out / name).write_bytes(path.read_bytes())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.send(put=dies)
    world.happens("enc-2")
    again = world.send()
    assert (again.name, again.again) == ("digest-harbor-ehr-panel-000002.csv", True)
    assert world.told_of(again) == [("encounter-admission", "1", "Encounter/enc-1")]
    following = world.send()
    assert (following.name, following.again) == ("digest-harbor-ehr-panel-000003.csv", False)
    assert world.told_of(following) == [("encounter-admission", "2", "Encounter/enc-2")]


def test_a_file_made_again_has_only_what_the_client_may_see_by_then(world: World) -> None:
    world.send()
    world.happens("enc-1")

    def unheard(path: Path, feed: Feed, name: str, replaces: bool) -> None:
        (world.folder / "out" / name).write_bytes(path.read_bytes())
        raise Fault(TAKEN)

    with pytest.raises(Fault):
        world.send(put=unheard)
    world.hub.put(panel())
    sent = world.send()
    assert (sent.rows, world.rows(sent)) == (0, [])


def test_another_file_of_the_name_is_not_replaced_by_a_new_one(world: World) -> None:
    (world.folder / "out").mkdir(parents=True)
    there = world.folder / "out" / "digest-harbor-ehr-panel-000001.csv"
    there.write_text("the partner's own\n", encoding="utf-8")
    with pytest.raises(Fault):
        world.send()
    assert there.read_text(encoding="utf-8") == "the partner's own\n"


def test_who_is_in_no_panel_and_who_left_it_are_not_told(world: World) -> None:
    world.send()
    world.hub.put(encounter("enc-9", "unseen"))
    world.happens("enc-1")
    world.hub.put(panel())
    assert world.send().rows == 0


def test_who_sees_everybody_is_told_of_the_panel_alone(world: World) -> None:
    world.access = replace(world.access, sight=ALL)
    world.send()
    world.happens("enc-1")
    world.hub.put(panel("unseen"))
    assert world.send().rows == 0


def test_what_is_labelled_needs_a_consent_now(world: World) -> None:
    world.hub.put(agreed("seen", "HIV"))
    world.send()
    world.happens("enc-1", meta=labelled("HIV"))
    world.happens("enc-2", meta=labelled("HIV"))
    sent = world.send()
    assert [row["resource"] for row in world.rows(sent)] == ["Encounter/enc-1", "Encounter/enc-2"]
    assert all("HIV" in row["labels"] for row in world.rows(sent))
    world.happens("enc-3", meta=labelled("HIV"))
    world.hub.put(agreed("seen", "HIV") | {"status": "inactive"})
    assert world.send().rows == 0


def test_who_may_not_read_a_type_is_told_nothing_of_it(world: World) -> None:
    world.send()
    world.happens("enc-1")
    world.access = replace(world.access, grants=frozenset((("Group", "r"), ("Patient", "r"))))
    assert world.send().rows == 0


def test_a_panel_that_the_client_may_not_read_is_refused(world: World) -> None:
    world.access = replace(world.access, grants=frozenset((("Encounter", "r"),)))
    with pytest.raises(Problem, match="may not read this panel"):
        world.send()
    assert not world.folder.exists()


def test_a_digest_that_somebody_ended_is_refused(world: World) -> None:
    world.send()
    name = world.digest.subscriptions[0]
    asked = world.hub.get("Subscription", name) | {"status": "off"}
    own = world.digests.own
    from hub.transactions import single

    own.commit([single("PUT", "Subscription", id=name, resource=asked)], Access.system("test"))
    with pytest.raises(Problem, match="of this digest is off"):
        world.send()


def test_its_subscriptions_send_nothing_of_themselves(world: World) -> None:
    world.send()
    world.happens("enc-1")
    assert world.hub.rows("waiting") == []
    assert world.hub.rows("waiting", "handshake") == []


def test_what_is_not_kept_any_more_is_said(world: World) -> None:
    world.send()
    world.happens("enc-1")
    later = clock.micros(world.hub.now()) + 1
    world.hub.database.writing(lambda connection: forget(connection, later))
    sent = world.send()
    assert (sent.rows, sent.forgotten) == (0, 1)


def test_a_cell_is_no_formula(world: World) -> None:
    world.topics = ("careplan",)
    world.send()
    plan = {"resourceType": "CarePlan", "id": "plan", "status": "active", "intent": "plan", "title": "=1+1"}
    world.hub.put(plan | {"subject": {"reference": "Patient/seen"}})
    world.hub.drive("event")
    (row,) = world.rows(world.send())
    assert row["what"] == "'=1+1"


def test_it_goes_to_a_server(world: World, sftp_server: SftpServer) -> None:
    feed = replace(world.feed, options={**world.feed.options, "sftp": sftp_server.table()})
    del feed.options["folder"]  # type: ignore[attr-defined]
    send_digest(world.digests, world.digest, world.access, feed, world.tell)
    world.happens("enc-1")
    sent = send_digest(world.digests, world.digest, world.access, feed, world.tell)
    assert sftp_server.names("out") == [f"digest-harbor-ehr-panel-{number:06}.csv" for number in (1, 2)]
    assert b"Encounter/enc-1" in (sftp_server.root / "out" / sent.name).read_bytes()


def configured(**table: Any) -> Feed:
    found = {"client": CLIENT, "panel": "Group/panel", "topics": list(STAYS)} | table
    return Feed("lantern", "plan-834", "urn:x", options={"digests": [found], "clients": [CLIENT]})


def daily(world: World, feed: Feed) -> Daily:
    feed = replace(feed, options={**world.feed.options, **feed.options})
    loading = cast(Any, SimpleNamespace(feeds={"lantern": feed}))
    return Daily(
        loading,
        world.digests,
        lambda name: world.access if name == CLIENT else None,
        lambda feed, access, rows: world.tell(rows),
    )


def test_the_worker_sends_each_when_its_time_has_come(world: World) -> None:
    chore = daily(world, configured(hours=24))
    world.hub.time = datetime(2026, 12, 2, 6, 0, tzinfo=UTC)  # 22:00 where the feed is

    def due() -> list[tuple[Feed, Any]]:
        now = clock.micros(world.hub.now())
        return [(feed, one) for feed, one in chore._wanted() if chore._is_due(feed, one, now)]

    assert [one.name for one in chore.send(due())] == ["digest-harbor-ehr-panel-000001.csv"]
    world.hub.wait(hours=1, minutes=59)
    assert due() == []
    world.hub.wait(minutes=1)
    assert [one.name for one in chore.send(due())] == ["digest-harbor-ehr-panel-000002.csv"]
    world.hub.wait(hours=23, minutes=59)
    assert due() == []


def test_what_was_begun_and_not_sent_is_due_at_once(world: World) -> None:
    chore = daily(world, configured(hours=24))
    world.digests.begin(world.digest, world.access)
    world.digests.open(world.digest)
    ((feed, one),) = chore._wanted()
    assert chore._is_due(feed, one, clock.micros(world.hub.now()))


def test_a_client_that_is_not_the_feeds_gets_nothing(world: World) -> None:
    chore = daily(world, configured())
    foreign = daily(world, configured(client="somebody"))
    assert foreign.send(list(foreign._wanted())) == []
    assert not world.folder.exists()
    assert len(chore.send(list(chore._wanted()))) == 1


@pytest.mark.parametrize(
    "table",
    [
        {"hours": 0},
        {"hours": "daily"},
        {"panel": "Patient/1"},
        {"client": ""},
        {"topics": ["nothing"]},
        {"topics": "careplan"},
        {"often": True},
    ],
)
def test_what_cannot_be_is_refused_at_the_start(table: dict[str, Any]) -> None:
    with pytest.raises(CannotStart, match="Feed lantern"):
        wanted(configured(**table))


def test_a_list_is_wanted() -> None:
    with pytest.raises(CannotStart, match="list of tables"):
        wanted(Feed("lantern", "plan-834", "urn:x", options={"digests": "all"}))
