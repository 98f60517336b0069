"""POST /hl7v2 over the hub's web application: who may send, what is kept, what is answered (row V33 among them)."""

import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from adapters.adt.group_commit import Accept, into
from adapters.adt.hl7_over_http import PATH, HttpIntake, hl7_over_http
from adapters.adt.http_clients import bound_clients, read
from adapters.adt.mllp_client import acknowledged
from auth.development_token import new_key
from auth.guard import Guard
from hub.audit import store
from hub.audit.journal import Journal
from hub.audit.record import decoded
from hub.audit.recorder import Recorder
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival
from hub.problems import CannotStart, Problem
from hub.rest.app import create_app
from hub.rest.beside import add
from hub.rest.doors import Beside
from hub.rest.hub import Hub
from hub.rest.limits import NO_LIMITS
from hub.search.query import Limits
from hub.settings import read_settings
from hub.spool import Spool
from hub.store.engine import Database
from hub.store.tables import inbox
from hub.store.tables_audit import audit
from tests.adapters.adt.mllp_peer import adt
from tests.hub.asking import BASE, MAX_BODY, SECRET, refused, register, token_of

MOST = 100_000
ER7 = "application/hl7-v2"
LATIN = adt(note="\xf1").replace(b"\rEVN", b"||8859/1\rEVN", 1)
PAIRS = frozenset({("creator", "HOSPITAL_ONE"), ("creator", "HOSPITAL_TWO"), ("reader", "HOSPITAL_ONE")})
AT = datetime(2026, 11, 22, 16, 15, tzinfo=UTC)


@dataclass(frozen=True)
class Sender:
    """A client that sends messages, and what the hub holds then."""

    app: Flask
    database: Database
    journal: Journal
    who: str = "creator"

    def post(self, body: bytes = b"", mime: str = ER7, **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {token_of(self.who)}", "Content-Type": mime}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().post(PATH, data=body, headers={n: v for n, v in sent.items() if v})

    def answered(self, body: bytes, **headers: str) -> str:
        """MSA-1, and of each ERR the code and place."""
        answer = self.post(body, **headers)
        assert answer.status_code == 200, answer.text
        fields = [line.split("|") for line in answer.data.decode("latin-1").split("\r")]
        errors = [(each[3].partition("^")[0], each[2]) for each in fields if each[0] == "ERR"]
        return " ".join([acknowledged(answer.data)[0], *(part for error in errors for part in error)])

    def kept(self) -> list[tuple[str, bytes]]:
        with self.database.read() as connection:
            rows = connection.execute(select(inbox.c.state, inbox.c.raw).order_by(inbox.c.seq))
            return [(state, bytes(raw)) for state, raw in rows]

    def records(self) -> list[tuple[str, int, str, str]]:
        store.move_all(self.database, self.journal.folder)
        with self.database.read() as connection:
            rows = connection.execute(select(audit.c.record).order_by(audit.c.seq)).scalars()
            found = [decoded(bytes(row)) for row in rows]
        return [(r.interaction, r.status, r.client, r.query) for r in found if r.interaction == "message"]


@pytest.fixture
def hub(database: Database, tmp_path: Path) -> Hub:
    register(database, new_key("ES384"))
    return Hub(
        database,
        transactions=cast(Any, None),
        base=BASE,
        secret=SECRET,
        limits=Limits(page=10, most=50, base=BASE),
        cursor_seconds=600,
        most_entries=20,
        capabilities=dict,
        guard=Guard(database).access_of,
        shell=lambda bundle: None,
        audit=Recorder(database, Journal(tmp_path / "audit")),
    )


def opened(hub: Hub, accept: Accept) -> Sender:
    door = HttpIntake(accept, lambda: PAIRS, production=True, now=lambda: AT)
    app = create_app(hub, MAX_BODY)
    add(app, hub, NO_LIMITS, Beside(PATH, "message", MOST, door.admits, door.serve))
    assert hub.audit is not None
    return Sender(app, hub.database, hub.audit.journal)


@pytest.fixture
def sender(hub: Hub) -> Iterator[Sender]:
    """On SQLite arrivals go to the spool, as with the front door."""
    spool = Spool(hub.database) if hub.database.is_sqlite else None
    yield opened(hub, spool.accept if spool else into(hub.database))
    if spool:
        spool.close()


def moved(sender: Sender) -> list[tuple[str, bytes]]:
    """The inbox with what still lay in the spool."""
    if sender.database.is_sqlite:
        spool = Spool(sender.database)
        spool.move()
        spool.close()
    return sender.kept()


def test_a_message_is_stored_and_acknowledged_in_its_own_content_type(sender: Sender) -> None:
    answer = sender.post(adt("7"), "x-application/hl7-v2+er7; charset=UTF-8")
    assert (answer.status_code, acknowledged(answer.data)) == (200, ("AA", "7"))
    assert answer.headers["Content-Type"] == "x-application/hl7-v2+er7; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert moved(sender) == [("received", adt("7"))]
    assert sender.records() == [("message", 200, "creator", "/hl7v2")]


def test_what_is_sent_again_is_one_message_and_other_content_is_a_conflict(sender: Sender) -> None:
    """bad-input.md V13, V14."""
    assert [sender.answered(adt("7")) for _ in range(2)] == ["AA", "AA"]
    assert sender.answered(adt("7", note="-Pine")) == "AE 205 MSH^1^10"
    assert [state for state, _ in moved(sender)] == ["received", "refused"]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b"", "AR 100 MSH^1^1"),
        (adt(kind="ORU^R01"), "AR 200 MSH^1^9"),
        (adt(version="9.9"), "AR 203 MSH^1^12"),
        (adt().replace(b"|77^^^HOSPITAL_ONE^MR|", b"||"), "AE 101 PID^1^3"),
        (adt(accept="AL", application="NE"), "CA"),
    ],
)
def test_a_refusal_is_an_acknowledgment_with_status_200(sender: Sender, frame: bytes, expected: str) -> None:
    assert sender.answered(frame) == expected
    states = [state for state, _ in moved(sender)]
    assert states == ([] if not frame else ["received" if expected == "CA" else "refused"])


def test_v33_a_client_speaks_for_its_own_facilities_only(sender: Sender) -> None:
    assert sender.answered(adt(facility="HOSPITAL_TWO")) == "AA"
    assert sender.answered(adt(facility="HOSPITAL_THREE")) == "AR 207 MSH^1^4"
    assert [state for state, _ in moved(sender)] == ["received"]
    assert [status for _, status, _, _ in sender.records()] == [200, 403]


def test_a_batch_is_answered_with_a_batch_and_strangers_in_it_are_not_kept(sender: Sender) -> None:
    """bad-input.md V33."""
    batch = b"BHS|^~\\&|EHR|HOSPITAL_ONE\r" + adt("1") + adt("2", facility="HOSPITAL_THREE") + b"BTS|2\r"
    answer = sender.post(batch)
    said = [line.split("|")[1:3] for line in answer.data.decode().split("\r") if line.startswith("MSA")]
    assert said == [["AA", "1"], ["AR", "2"]]
    assert [raw for _, raw in moved(sender)] == [adt("1")]


def test_a_sender_that_wants_no_acknowledgment_gets_none(sender: Sender) -> None:
    answer = sender.post(adt(accept="NE", application="NE"))
    assert (answer.status_code, answer.data) == (204, b"")
    assert [state for state, _ in moved(sender)] == ["received"]


def test_who_has_no_token_or_not_the_scope_is_not_read(sender: Sender) -> None:
    refused(sender.post(adt(), Authorization=""), 401, "login")
    refused(sender.post(adt(), Authorization=f"Bearer {token_of('nobody')}"), 401, "login")
    refused(replace(sender, who="reader").post(adt()), 403, "forbidden")
    assert moved(sender) == []
    assert [(status, who) for _, status, who, _ in sender.records()] == [(401, ""), (401, ""), (403, "reader")]


@pytest.mark.parametrize(
    "mime",
    ["application/fhir+json", "application/hl7-v2+xml", "text/plain", "", f"{ER7}; charset=utf-16", "x;y=\\"],
)
def test_other_content_types_are_refused(sender: Sender, mime: str) -> None:
    refused(sender.post(adt(), mime), 415, "not-supported")
    assert moved(sender) == []


def test_other_methods_and_too_much_are_refused(sender: Sender) -> None:
    answer = sender.app.test_client().get(PATH)
    refused(answer, 405, "not-supported")
    assert answer.headers["Allow"] == "POST"
    refused(sender.post(adt(note="x" * MOST)), 413, "too-long")
    refused(sender.post(gzip.compress(adt(note="x" * MOST)), Content_Encoding="gzip"), 413, "too-long")
    assert moved(sender) == []
    assert sender.answered(gzip.compress(adt()), Content_Encoding="gzip") == "AA"


@pytest.mark.parametrize(
    ("frame", "charset", "expected"),
    [
        (LATIN, "", "AA"),
        (LATIN, "; charset=ISO-8859-1", "AA"),
        (LATIN, "; charset=utf-8", "AE 102 MSH^1^18"),
        (adt().replace(b"\rEVN", b"||8859/1\rEVN", 1), '; charset="utf-8"', "AA"),
        (adt(note="\xf1").decode("latin-1").encode(), "; charset=UTF-8", "AA"),
        (adt(note="\xf1").decode("latin-1").encode(), "; charset=iso-8859-1", "AE 102 MSH^1^18"),
    ],
)
def test_a_charset_that_contradicts_the_message_is_an_error(
    sender: Sender, frame: bytes, charset: str, expected: str
) -> None:
    assert sender.answered(frame, Content_Type=ER7 + charset) == expected
    assert moved(sender) == [("received" if expected == "AA" else "refused", frame)]


def fails(arrivals: Sequence[Arrival]) -> list[Receipt]:
    raise OSError("disk full")


def is_busy(arrivals: Sequence[Arrival]) -> list[Receipt]:
    raise Problem("busy", "The database is busy")


@pytest.mark.parametrize("accept", [fails, is_busy])
def test_what_cannot_be_stored_is_not_acknowledged(hub: Hub, accept: Callable[..., Any]) -> None:
    """bad-input.md V34."""
    sender = opened(hub, accept)
    answer = sender.post(adt())
    refused(answer, 503, "transient")
    assert answer.headers["Retry-After"] == "5"
    assert b"MSA" not in answer.data
    assert [status for _, status, _, _ in sender.records()] == [503]


def test_a_production_hub_takes_no_test_messages(sender: Sender) -> None:
    assert sender.answered(adt(processing="T")) == "AR 202 MSH^1^11"


def test_the_table_of_clients_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "clients.csv"
    path.write_text("client,facility\nengine,SMC\nengine, NVH\n", encoding="utf-8")
    bound = bound_clients(path)
    assert bound() == {("engine", "SMC"), ("engine", "NVH")}
    path.write_text("client,facility\nengine,SMC,\nother,\n", encoding="utf-8")
    assert bound() == {("engine", "SMC"), ("engine", "NVH")}
    path.write_text("client,facility\nother,SMC\n", encoding="utf-8")
    assert bound() == {("other", "SMC")}


@pytest.mark.parametrize("text", ["", "client\nx\n", "client,facility\n,SMC\n", "client,facility\nx,\n"])
def test_a_table_that_binds_nobody_starts_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clients.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"clients\.csv"):
        read(path)
    with pytest.raises(CannotStart, match="HUB_HL7V2_CLIENTS"):
        hl7_over_http(read_settings({"HUB_HL7V2_CLIENTS": str(path)}), lambda: fails)


def test_without_a_table_there_is_no_such_door() -> None:
    assert hl7_over_http(read_settings({}), lambda: fails) == []
