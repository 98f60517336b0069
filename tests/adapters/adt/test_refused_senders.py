"""A sender that speaks for another: AR 207, nothing stored, a security event before the answer (V33)."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from adapters.adt.mllp_client import acknowledged, error_code
from adapters.adt.mllp_server import Stranger
from adapters.adt.refused_senders import INTERACTION, RefusedSenders
from hub.audit import journal
from hub.audit.balp import Teller
from hub.audit.journal import Journal
from hub.audit.record import Record, decoded
from hub.problems import Problem
from hub.store.engine import Database
from tests.adapters.adt.mllp_peer import adt, listening, stored
from tests.adapters.adt.test_batches import batch
from tests.adapters.adt.test_mllp_tls import table


def recorded(folder: Path) -> list[Record]:
    return [
        decoded(record)
        for path in folder.glob(f"*{journal.SUFFIX}")
        for record in journal.read(path, 0, 1000).records
    ]


def test_v33_a_refused_sender_is_answered_207_and_recorded(database: Database, tmp_path: Path) -> None:
    alarm = RefusedSenders(Journal(tmp_path / "audit"))
    with listening(database, senders=table(tmp_path, "A,,127.0.0.1"), alarm=alarm, name="north") as hospital:
        peer = hospital.peer()
        peer.send(adt("1", facility="A"), adt("2", facility="B"), adt("3", facility="B", accept="AL"))
        good, refused, enhanced = peer.answers(3)
        (first, _) = recorded(tmp_path / "audit")  # durable when the answer is here
    assert [acknowledged(one)[0] for one in (good, refused, enhanced)] == ["AA", "AR", "CR"]
    assert [error_code(one) for one in (refused, enhanced)] == ["207", "207"]
    assert [raw for _, raw in stored(database)] == [adt("1", facility="A")]
    assert (first.interaction, first.status, first.network) == (INTERACTION, 403, "127.0.0.1")
    assert first.query == "listener north: MSH-4 B"


def test_v33_the_security_event_is_dicoms_node_authentication(tmp_path: Path) -> None:
    RefusedSenders(Journal(tmp_path))([Stranger("north", "10.1.2.3", "B")])
    (record,) = recorded(tmp_path)
    ((_, event),) = Teller("https://hub.example/fhir", {}).events(1, record)
    assert (event["type"]["code"], event["subtype"][0]["code"]) == ("110113", "110126")
    assert (event["outcome"], event["agent"][0]["network"]["address"]) == ("4", "10.1.2.3")


def test_v33_each_stranger_of_a_batch_is_recorded(database: Database, tmp_path: Path) -> None:
    alarm = RefusedSenders(Journal(tmp_path / "audit"))
    with listening(database, senders=table(tmp_path, "A,,127.0.0.1"), alarm=alarm) as hospital:
        peer = hospital.peer()
        peer.send(batch(adt("1", facility="B"), adt("2", facility="A"), adt("3", facility="C")))
        peer.answers(1)
    assert [record.query[-1] for record in recorded(tmp_path / "audit")] == ["B", "C"]


@pytest.mark.parametrize("facility", ["CANARYFAMILY^Quillon Q", "x" * 41, "", "a\x1b[2J"])
def test_what_is_no_code_is_not_recorded(tmp_path: Path, facility: str) -> None:
    RefusedSenders(Journal(tmp_path))([Stranger("default", "10.1.2.3", facility)])
    assert recorded(tmp_path)[0].query == "listener default: MSH-4 ?"


def test_v33_where_nothing_can_be_recorded_nobody_is_answered(database: Database, tmp_path: Path) -> None:
    def fails(strangers: Sequence[Stranger]) -> None:
        raise Problem("no-space", "The hub's disk is full: the access cannot be recorded")

    with listening(database, senders=table(tmp_path, "A,,127.0.0.1"), alarm=fails) as hospital:
        peer = hospital.peer()
        peer.send(adt("1", facility="B"))
        assert peer.is_closed_without_an_answer()
        assert hospital.listener.counted["not stored"] == 1
    assert stored(database) == []
