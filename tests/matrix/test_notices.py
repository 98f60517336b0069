"""Notices to subscribers: each actor asks for admissions, with whole resources, with ids and empty; what reaches
its receiver must be what the oracle allows. What was refused at first is asked anew before each further try."""

import itertools
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auth.notices import NoticeRights
from hub import clock, outbox
from hub.access import Access
from hub.fhir.bundles import Entry
from hub.notifications import assembly, events
from hub.notifications.fan_out import FanOut
from hub.settings import read_settings
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.hub.asking import BASE, validator
from tests.hub.notifications.conftest import Receiver, wanted
from tests.matrix import consents
from tests.matrix.asker import Asker, Evidence, grouped
from tests.matrix.callers import application, askers, register
from tests.matrix.canaries import canaries
from tests.matrix.charts import BY_SHORT, Chart, resource
from tests.matrix.judge import Judge
from tests.matrix.world import REGISTRY, World, Writer, all_charts, load

LABELS = ("none", "sud-code", "part2", "psy", "unknown")
# a member's app is told of nothing, because a Subscription is its client's and not a person's
SILENT_ACTORS = ("member",)
CONTENTS = ("full-resource", "id-only", "empty")
_FOCUS = re.compile(rb"Encounter/zqenc([0-9]+)zid")
_NUMBER = re.compile(rb'"event-number","valueString":"([0-9]+)"')
_numbers = itertools.count(1)


@dataclass
class Office:
    """A world, its subscribers, and the worker that tells them."""

    database: Database
    world: World
    receiver: Receiver
    askers: list[Asker]
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    names: dict[tuple[str, int, str], str] = field(default_factory=dict)  # of their Subscriptions

    def __post_init__(self) -> None:
        chosen = read_settings(
            {
                "HUB_BASE_URL": BASE.removesuffix("/fhir"),
                "HUB_SECRET_KEY": "x" * 40,
                "HUB_WEBHOOK_HOSTS": self.receiver.host,
                "HUB_WEBHOOK_TIMEOUT_SECONDS": "2",
            }
        )
        own = Transactions(self.database, lambda *_: [], events.effects, BASE, self.now)
        rights = NoticeRights(self.database, chosen.secret_key())
        deliveries = assembly.deliveries(self.database, own, chosen, rights, None)
        deliveries = replace(deliveries, now=self.now, chance=lambda: 0.5)
        self.own = own
        look = assembly.look(self.database, chosen, rights)
        self.handlers = {"event": FanOut(self.database, look, BASE, self.now), **deliveries.handlers()}

    def now(self) -> datetime:
        return self.time

    def drive(self) -> None:
        self.time = max(self.time, clock.now()) + timedelta(milliseconds=5)
        while claimed := self.database.writing(
            lambda c: outbox.claim(c, tuple(self.handlers), clock.micros(self.time), 60, 50)
        ):
            for work in claimed:
                settled = self.handlers[work.kind](work)
                self.database.writing(lambda c, w=work, s=settled: outbox.settle(c, w, s))

    def admit(self, charts: list[Chart]) -> None:
        """Each of them is admitted: planned before, in progress now."""
        for status in ("planned", "in-progress"):
            self.time += timedelta(milliseconds=5)
            made = [resource(chart, BY_SHORT["enc"]) | {"status": status} for chart in charts]
            entries = [Entry("PUT", "Encounter", id=each["id"], resource=each) for each in made]
            self.own.commit(entries, Access.system("the matrix", source=REGISTRY), many=True)

    def subscribe(self, content: str) -> None:
        for ask in self.askers:
            endpoint = f"{self.receiver.url}/{ask.actor.name}/{ask.member}/{content}"
            asked = wanted(endpoint, content=content)
            body = {name: value for name, value in asked.items() if name != "id"}
            answer = ask.ask("", "POST", "/Subscription", body)
            if answer.status_code == 201:
                self.names[ask.actor.name, ask.member, content] = answer.json["id"]

    def kept(self, ask: Asker, name: str, content: str) -> Iterator[bytes]:
        """The pages of `$events`."""
        first = 1
        while True:
            path = f"/Subscription/{name}/$events?eventsSinceNumber={first}&content={content}"
            answer = ask.ask("", "GET", path)
            if answer.status_code != 200:
                return
            yield answer.data
            numbers = [int(number) for number in _NUMBER.findall(answer.data)]
            if not numbers:
                return
            first = max(numbers) + 1

    def told(self, ask: Asker, content: str) -> list[bytes]:
        """The notices that reached an actor; handshakes are none."""
        path = f"/hook/{ask.actor.name}/{ask.member}/{content}"
        return [r.body for r in self.receiver.received if r.path == path and r.parameters["type"] != "handshake"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def office(request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver) -> Iterator[Office]:
    if request.param == "sqlite":
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_sqlite'), tmp_path / 'hub.db')}"
    else:
        name = f"notices_{next(_numbers)}"
        url = request.getfixturevalue("postgresql").create_database(name, "migrated")
    database = Database(url, pool_size=4)
    charts = [
        chart
        for chart in all_charts()
        if chart.labels in LABELS
        and chart.relation in ("assigned", "referred", "ended", "never")
        and chart.consent in ("none", "named")
    ]
    members = [charts[0].number, charts[5].number]
    register(database, members)
    world = load(database, charts)
    transactions = Transactions(database, validator, events.effects, BASE)
    app = application(database, transactions)
    every = [ask for ask in askers(app, members) if ask.actor.token == "valid"]
    yield Office(database, world, receiver, every)
    database.close()


def test_subscribers_are_told_what_the_oracle_allows(office: Office) -> None:
    for content in CONTENTS:
        office.subscribe(content)
    office.drive()
    office.admit(office.world.every)
    office.drive()
    judge = Judge(office.world)
    for ask in office.askers:
        firm = ask.actor.name not in SILENT_ACTORS
        judge.hear(ask, _evidence(office, ask, firm))
        judge.scan(ask)
        _check_empty(office, ask)
        _check_kept(office, ask)
    assert not judge.wrong, f"{len(judge.wrong)} disagreements:\n" + "\n".join(judge.wrong[:25])
    assert len(judge.cells) > 500


def _evidence(office: Office, ask: Asker, firm: bool) -> Iterator[Evidence]:
    whole = b"\n".join(office.told(ask, "full-resource"))
    ids = {int(number) for number in _FOCUS.findall(b"\n".join(office.told(ask, "id-only")))}
    ask.left.setdefault("E23", []).append(whole)
    ask.left.setdefault("E24", []).extend(office.told(ask, "id-only") + office.told(ask, "empty"))
    seen = grouped(canaries(whole))
    for chart in office.world.every:
        yield Evidence("E23", chart.number, "enc", seen.get((chart.number, "enc"), frozenset()), None, firm)
        yield Evidence("E24", chart.number, "enc", chart.number in ids, None, firm)


def _check_empty(office: Office, ask: Asker) -> None:
    """An empty notice says only that there was something: as often as the others say what."""
    empty = office.told(ask, "empty")
    assert not any(_FOCUS.search(body) or canaries(body) for body in empty)
    assert len(empty) == len(office.told(ask, "id-only")) == len(office.told(ask, "full-resource")), ask.actor.name


def _check_kept(office: Office, ask: Asker) -> None:
    """`$events` tells whoever asks what was sent, whole and by name, and no more."""
    for content in CONTENTS:
        name = office.names.get((ask.actor.name, ask.member, content))
        sent = office.told(ask, content)
        if name is None:
            assert sent == []
            continue
        found = b"".join(office.kept(ask, name, content))
        assert set(_FOCUS.findall(found)) == set(_FOCUS.findall(b"".join(sent))), (ask.actor.name, content)
        assert canaries(found) == canaries(b"".join(sent)), (ask.actor.name, content)


def test_a_retry_asks_anew_who_may_see_it(office: Office) -> None:
    """E25: what the receiver refused at first is not sent once the consent behind it is revoked."""
    office.subscribe("full-resource")
    office.drive()
    chosen = next(
        c for c in office.world.every if (c.relation, c.labels, c.consent) == ("assigned", "part2", "named")
    )
    other = next(c for c in office.world.every if (c.relation, c.labels, c.consent) == ("assigned", "none", "none"))
    ehr = next(ask for ask in office.askers if ask.actor.name == "ehr")
    office.receiver.status = 503
    office.admit([chosen, other])
    office.drive()
    tried = office.told(ehr, "full-resource")
    assert {number for body in tried for number in map(int, _FOCUS.findall(body))} & {chosen.number, other.number}
    office.receiver.received.clear()
    office.receiver.status = 200
    revoked: dict[str, Any] = consents.consent(chosen, consents.PERMIT, status="inactive")
    Writer(office.database, REGISTRY).write([revoked])
    for _ in range(4):
        office.time += timedelta(minutes=10)
        office.drive()
    reached = {int(n) for body in office.told(ehr, "full-resource") for n in _FOCUS.findall(body)}
    assert reached == {other.number}
