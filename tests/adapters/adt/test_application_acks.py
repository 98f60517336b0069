"""Enhanced mode whole: a commit acknowledgment at once, and later what became of the message (V32)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.adt.application_acks import KIND, ApplicationAcks, Returning, error_of
from adapters.adt.header import header
from adapters.adt.local_tables import LocalTables
from adapters.adt.merges import Merges
from adapters.adt.mllp_client import acknowledged, error_code
from adapters.adt.process import SOURCE, Processor
from adapters.adt.return_addresses import Address, read, return_addresses
from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.facilities import Facilities
from hub import outbox
from hub.inbox import arrivals, listing, replaying
from hub.inbox.messages import Arrival, Entry
from hub.problems import CannotStart
from hub.settings import read_settings
from hub.store.engine import Database
from hub.worker import Park, Worker
from tests.adapters.adt.mllp_peer import HOST, listening, stored
from tests.adapters.adt.mllp_peer import adt as plain_adt
from tests.adapters.adt.test_members import admitted, merges, ward_of
from tests.adapters.adt.test_mllp_sender import Receiver, Script, ack
from tests.adapters.adt.ward import Ward
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, ROWS

AT = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
WISHES = {"MSH-15": "AL", "MSH-16": "AL"}


class Hub:
    """A worker on a database, whose clock stands, and a hospital's listener to tell."""

    def __init__(self, database: Database, script: Script):
        self.database = database
        self.receiver = Receiver(script)
        self.addresses = {"SMC": Address(HOST, self.receiver.port)}
        self.rows = [dict(row) for row in ROWS]
        self.ward = Ward(database, self.rows)
        self.now = AT
        acks = ApplicationAcks(lambda: self.addresses, lambda: self.now)
        tables = LocalTables(lambda: Facilities.load(self.rows), lambda: CodeTables.load())
        processor = Processor(
            database, self.ward.transactions, tables, CIN_SYSTEM, self.ward._now, acknowledge=acks.processed
        )
        self.returning = Returning(lambda: self.addresses, lambda: self.now, timeout=1, chance=lambda: 0.5)
        self.worker = Worker(
            database,
            messages={SOURCE: processor},
            work={},
            deliveries={KIND: self.returning},
            now=lambda: self.now,
            parked={SOURCE: acks.parked},
        )

    def gets(self, *raws: bytes) -> None:
        """Messages arrive and are worked on."""
        for raw in raws:
            head = header(raw)
            arrival = Arrival(SOURCE, f"{head.application}|{head.facility}", head.control_id, raw, 1)
            self.database.writing(lambda connection, one=arrival: arrivals.accept(connection, [one]))
        self.works()

    def works(self) -> None:
        while self.worker._messages_lane():
            pass

    def tells(self) -> None:
        """What is due leaves."""
        while self.worker._deliveries_lane():
            pass

    def entry(self) -> Entry:
        """The newest message."""
        with self.database.read() as connection:
            return listing.listed(connection)[0]

    def state(self) -> str:
        return self.entry().state

    def rows_of(self, state: str) -> list[outbox.Entry]:
        with self.database.read() as connection:
            return [row for row in outbox.listed(connection, state) if row.kind == KIND]


Hubs = Callable[[Script], Hub]


def takes(receiver: Receiver, connection: object, control_id: str) -> None:
    connection.sendall(ack(control_id, "CA"))  # type: ignore[attr-defined]


@pytest.fixture
def hubs(database: Database) -> Iterator[Hubs]:
    made: list[Hub] = []

    def make(script: Script) -> Hub:
        made.append(Hub(database, script))
        return made[-1]

    yield make
    for hub in made:
        hub.receiver.close()


@pytest.fixture
def hub(hubs: Hubs) -> Hub:
    return hubs(takes)


def test_v32_a_processed_message_is_told_aa_later_at_the_senders_own_listener(hub: Hub) -> None:
    hub.gets(adt("A01", "C-1", fields=WISHES))
    assert hub.state() == "processed"
    assert hub.receiver.messages == []
    hub.tells()
    (told,) = hub.receiver.messages
    assert acknowledged(told) == ("AA", "C-1")
    head = header(told)
    assert (head.message_type, head.accept_ack, head.application_ack) == ("ACK", "AL", "NE")
    assert (head.facility_code, head.receiving_facility) == ("HUB", "SMC")
    assert head.control_id not in ("", "C-1")
    assert [row.state for row in hub.rows_of("done")] == ["done"]


@pytest.mark.parametrize(
    ("fields", "place", "code"),
    [
        ({"MSH-4": "SMC", "PV1-2": "?!"}, "PV1^1^2", "103"),
        ({"PID-7": "soon"}, "PID^1^7", "102"),
    ],
)
def test_v32_a_message_that_waits_for_a_person_is_told_ae_with_place_and_code(
    hub: Hub, fields: dict[str, str], place: str, code: str
) -> None:
    hub.gets(adt("A01", "C-1", fields={**WISHES, **fields}))
    assert hub.state() in ("unmapped", "unreadable")
    hub.tells()
    (told,) = hub.receiver.messages
    assert acknowledged(told) == ("AE", "C-1")
    assert error_code(told) == code
    assert f"\rERR||{place}|".encode() in told


def test_what_was_parked_and_goes_on_is_told_aa_then_and_each_once(hub: Hub) -> None:
    hub.rows.clear()
    hub.gets(adt("A01", "C-1", fields=WISHES))
    assert hub.state() == "unmapped"
    for _ in range(2):
        replay(hub)
    assert hub.state() == "unmapped"
    hub.rows.extend(dict(row) for row in ROWS)
    replay(hub)
    assert hub.state() == "processed"
    hub.tells()
    assert [acknowledged(one)[0] for one in hub.receiver.messages] == ["AE", "AA"]


def replay(hub: Hub) -> None:
    hub.database.writing(lambda connection: replaying.taken(connection, [hub.entry().seq]))
    hub.works()


@pytest.mark.parametrize(
    ("accept", "application", "good", "bad"),
    [
        ("AL", "AL", ["AA"], ["AE"]),
        ("NE", "AL", ["AA"], ["AE"]),
        ("", "SU", ["AA"], []),
        ("AL", "ER", [], ["AE"]),
        ("AL", "NE", [], []),
        ("AL", "", [], []),
        ("", "", [], []),
    ],
)
def test_v32_msh_16_says_who_wants_it(
    hub: Hub, accept: str, application: str, good: list[str], bad: list[str]
) -> None:
    asks = {"MSH-15": accept, "MSH-16": application}
    hub.gets(adt("A01", "1", fields=asks))
    hub.tells()
    assert [acknowledged(one)[0] for one in hub.receiver.messages] == good
    hub.receiver.messages.clear()
    hub.gets(adt("A08", "2", fields={**asks, "PID-7": "soon"}))
    hub.tells()
    assert [acknowledged(one)[0] for one in hub.receiver.messages] == bad


def test_without_a_return_address_nothing_is_owed(hub: Hub) -> None:
    hub.addresses.clear()
    hub.gets(adt("A01", "C-1", fields=WISHES))
    assert (hub.state(), hub.rows_of("waiting")) == ("processed", [])


def test_the_acknowledgment_is_stored_with_the_end_of_the_message_or_neither(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(outbox, "add", full)
    hub.gets(adt("A01", "C-1", fields=WISHES))
    assert hub.state() == "received"
    monkeypatch.undo()
    hub.now = datetime(2026, 11, 23, tzinfo=UTC)
    hub.works()
    assert (hub.state(), len(hub.rows_of("waiting"))) == ("processed", 1)


def test_sec_44_silence_is_tried_again_with_the_same_control_id(hubs: Hubs) -> None:
    def silent_once(receiver: Receiver, connection: object, control_id: str) -> None:
        if len(receiver.seen) > 1:
            takes(receiver, connection, control_id)

    hub = hubs(silent_once)
    hub.returning.timeout = 0.2
    hub.gets(adt("A01", "C-1", fields=WISHES))
    hub.tells()
    assert len(hub.rows_of("waiting")) == 1
    hub.now = datetime(2026, 11, 22, 16, 5, tzinfo=UTC)
    hub.tells()
    assert len(hub.rows_of("done")) == 1
    assert len(hub.receiver.seen) == 2
    assert len({*hub.receiver.seen}) == 1


@pytest.mark.parametrize(
    ("code", "error", "state"),
    [("AE", "102", "dead"), ("CR", "", "dead"), ("AE", "207", "waiting"), ("AR", "206", "waiting")],
)
def test_sec_46_a_refused_acknowledgment_is_held_and_one_that_cannot_be_taken_now_waits(
    hubs: Hubs, caplog: pytest.LogCaptureFixture, code: str, error: str, state: str
) -> None:
    hub = hubs(lambda receiver, connection, control_id: connection.sendall(ack(control_id, code, error)))
    hub.gets(adt("A01", "C-1", fields=WISHES))
    hub.tells()
    (row,) = hub.rows_of(state)
    assert row.reason == f"The receiver answered {code} {error}".rstrip()
    assert ("is held" in caplog.text) == (state == "dead")
    assert len(hub.receiver.seen) == 1


def test_after_72_hours_it_is_given_up(hub: Hub) -> None:
    hub.receiver.close()
    hub.addresses["SMC"] = Address(HOST, 1)
    payload = {"facility": "SMC", "message": adt("A01").decode()}
    settled = hub.returning(outbox.Work(1, KIND, "1:A", payload, 200, 0))
    assert isinstance(settled, outbox.Dead)
    assert "72 hours" in settled.reason


def test_an_address_that_went_is_a_matter_for_a_person(hub: Hub) -> None:
    hub.gets(adt("A01", "C-1", fields=WISHES))
    hub.addresses.clear()
    hub.tells()
    assert [row.reason for row in hub.rows_of("dead")] == ["the facility has no return address any more"]


def test_acknowledgments_of_a_facility_leave_in_order_by_one_connection(hub: Hub) -> None:
    hub.gets(*(adt("A08", f"C-{number}", fields=WISHES) for number in range(5)))
    hub.tells()
    assert [acknowledged(one)[1] for one in hub.receiver.messages] == [f"C-{number}" for number in range(5)]
    assert hub.receiver.connections == 1


@pytest.mark.parametrize(
    ("park", "expected"),
    [
        (Park("unreadable", "Not a date", "PID-7", code="102"), ("102", "PID-7", "Not a date")),
        (Park("unmapped", "No row", "PV1-2"), ("103", "PV1-2", "No row")),
        (Park("unmatched", "Two members", "PID-3"), ("204", "PID-3", "Two members")),
        (Park("waiting", "204: nobody brought it", "MRG-1"), ("204", "MRG-1", "204: nobody brought it")),
        (Park("refused", "207: merged before", "MRG-1"), ("207", "MRG-1", "207: merged before")),
        (Park("refused", "A rule is broken", "Patient.birthDate"), ("207", "", "A rule is broken")),
    ],
)
def test_each_state_has_its_code_and_only_places_of_hl7_are_told(
    park: Park, expected: tuple[str, str, str]
) -> None:
    assert error_of(park) == expected


def test_v32_a_merge_is_told_aa_too(database: Database) -> None:
    """With the merges themselves, which end their message in a transaction of their own."""
    ward = ward_of(database)
    acks = ApplicationAcks(lambda: {"SMC": Address(HOST, 1)}, ward._now)
    merging = ward.processor.merge
    assert isinstance(merging, Merges)
    ward.processor = replace(ward.processor, merge=replace(merging, acknowledge=acks.processed))
    ward.sends(admitted("1", "7001", "V1"), admitted("2", "7002", "V2"))
    asks = b"|P|2.5.1|||AL|AL|"
    ward.sends(merges("C-3", "7001", "7002").replace(b"|P|2.5.1||||", asks, 1))
    assert ward.states()[-1][0] == "processed"
    with database.read() as connection:
        rows = [row for row in outbox.listed(connection, "waiting") if row.kind == KIND]
    assert [row.key.rpartition(":")[2] for row in rows] == ["A"]


# At the listener: what is answered at once where the rest comes later


@pytest.mark.parametrize(
    ("accept", "application", "answered"),
    [("AL", "AL", "CA"), ("NE", "AL", ""), ("", "AL", ""), ("NE", "NE", ""), ("", "", "AA"), ("AL", "", "CA")],
)
def test_v32_with_a_return_address_only_the_commit_is_acknowledged_at_once(
    database: Database, accept: str, application: str, answered: str
) -> None:
    with listening(database, returns=lambda facility: facility == "HOSPITAL_ONE") as hospital:
        peer = hospital.peer()
        peer.send(plain_adt("1", accept=accept, application=application), plain_adt("2"))
        expected = [(answered, "1")] if answered else []
        assert peer.codes(len(expected) + 1) == [*expected, ("AA", "2")]
    assert len(stored(database)) == 2


def test_v32_what_is_refused_at_the_commit_is_told_at_once_because_nothing_follows(database: Database) -> None:
    with listening(database, returns=lambda facility: True) as hospital:
        peer = hospital.peer()
        peer.send(plain_adt("1", version="9.9", accept="NE", application="AL"))
        assert peer.codes(1) == [("AR", "1")]


# The table


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["SMC,10.0.0.1,,,,"], "line 2: facility, host and port"),
        ([",10.0.0.1,2575,,,"], "line 2: facility, host and port"),
        (["SMC,10.0.0.1,2575,,,", "SMC,10.0.0.2,2575,,,"], "line 3: the facility has a row"),
        (["SMC,10.0.0.1,70000,,,"], "line 2"),
        (["SMC,10.0.0.1,2575,,a.pem,a.key"], "line 2: cert and key"),
        (["SMC,10.0.0.1,2575,not-there.pem,,"], "line 2: .*"),
    ],
)
def test_a_bad_row_is_refused_by_its_line_and_keeps_the_hub_from_starting(
    tmp_path: Path, rows: list[str], says: str
) -> None:
    path = tmp_path / "return.csv"
    path.write_text("\n".join(("facility,host,port,ca,cert,key", *rows)) + "\n")
    with pytest.raises((ValueError, OSError), match=says):
        read(path)
    with pytest.raises(CannotStart, match="HUB_MLLP_RETURN_ADDRESSES"):
        return_addresses(read_settings({"HUB_MLLP_RETURN_ADDRESSES": str(path)}))


def test_the_table_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "return.csv"
    path.write_text("facility,host,port,ca,cert,key\nSMC,10.0.0.1,2575,,,\n")
    table = return_addresses(read_settings({"HUB_MLLP_RETURN_ADDRESSES": str(path)}))
    assert table() == {"SMC": Address("10.0.0.1", 2575)}
    path.write_text("facility,host,port,ca,cert,key\nRIVERBEND,10.0.0.2,2576,,,\n")
    assert table() == {"RIVERBEND": Address("10.0.0.2", 2576)}
    assert return_addresses(read_settings({}))() == {}
