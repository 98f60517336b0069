"""A provider without FHIR answers by lines of a file: the same moves by the same rule, and a report that says what
was not done."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from auth.referral_access import BY_FILE
from hub import clock
from hub.feeds.files import DONE, REFUSED
from hub.fhir.systems import SDOHCC
from hub.problems import Problem
from hub.referrals.answer_words import ANSWERS as WORDS
from hub.referrals.answers import WORDS as PAGES_WORDS
from hub.referrals.terms import ACTIVITY, concept
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.adapters.referrals.answers_world import DAY, Houses
from tests.hub.consenting import complete, consent
from tests.hub.referrals.world import ACT, HOUSE, OTHER_HOUSE, World, to

EVE = "2026-11-22"


@pytest.fixture
def houses(database: Database, tmp_path: Path) -> Houses:
    world = World(database)
    world.county()
    made = Houses(world, tmp_path)
    made.asked("one", "two", "three")
    return made


def test_lines_move_referrals_in_their_order_and_what_was_done_is_a_procedure(houses: Houses) -> None:
    file = houses.send(
        f"Task/one,accept,,,{DAY}",
        f"one,start,,,{DAY}",
        f"one,complete,,Deposit paid (invented),{DAY}",
        f"two,decline,No free flat (invented),,{DAY}",
        f"three,wait,Waits for papers (invented),,{DAY}",
    )
    assert (file.state, houses.report(file)) == (DONE, [])
    assert [houses.status(one) for one in ("one", "two", "three")] == ["completed", "rejected", "on-hold"]
    (procedure,) = houses.world.all("Procedure")
    assert (procedure["code"], procedure["performedDateTime"]) == ({"text": "Deposit paid (invented)"}, DAY)
    assert procedure["subject"] == to("Patient", "robin")
    assert houses.world.read("Task", "two")["statusReason"] == {"text": "No free flat (invented)"}


def test_the_same_file_again_changes_nothing(houses: Houses) -> None:
    lines = (f"one,accept,,,{DAY}", f"one,complete,,Deposit paid (invented),{DAY}", f"two,wait,Papers,,{DAY}")
    houses.send(*lines)
    before = houses.versions("one", "two")
    for name in ("answers.csv", "again.csv"):
        file = houses.send(*lines, name=name)
        assert (file.state, houses.report(file), file.counts["rejected"]) == (DONE, [], 0)
    assert houses.versions("one", "two") == before
    assert len(houses.world.all("Procedure")) == 1


def test_a_growing_file_does_what_is_new_in_it(houses: Houses) -> None:
    houses.send(f"one,accept,,,{DAY}", name="monday.csv")
    houses.send(f"one,accept,,,{DAY}", f"one,start,,,{DAY}", name="tuesday.csv")
    assert houses.status("one") == "in-progress"


def test_an_illegal_answer_is_a_line_of_the_report_that_says_which_are_legal(houses: Houses) -> None:
    file = houses.send(f"one,complete,,Deposit paid (invented),{DAY}", f"two,accept,,,{DAY}")
    (line,) = houses.report(file)
    assert (line.code, line.line, line.column) == ("MOVE", 2, "answer")
    assert line.what == "The referral is requested. Legal now: accept, decline, wait."
    assert (houses.status("one"), houses.status("two")) == ("requested", "accepted")
    assert file.counts["rejected"] == 1
    over = houses.send(f"two,fail,Moved away (invented),,{DAY}", f"two,start,,,{DAY}", name="later.csv")
    (line,) = houses.report(over)
    assert line.what == "The referral is failed. Legal now: none: it is over."


def test_what_was_refused_is_tried_again_when_it_is_sent_again(houses: Houses) -> None:
    done = f"one,complete,,Deposit paid (invented),{DAY}"
    houses.send(done)
    again = houses.send(done)
    assert [one.code for one in houses.report(again)] == ["MOVE"]
    houses.send(f"one,accept,,,{DAY}", name="accepted.csv")
    assert houses.report(houses.send(done, name="done.csv")) == []
    assert houses.status("one") == "completed"


def test_only_whom_it_is_asked_of_answers_and_nobody_learns_whether_it_is_there(houses: Houses) -> None:
    houses.asked("theirs", owner=OTHER_HOUSE)
    before = houses.versions("theirs", "one")
    file = houses.send(f"theirs,accept,,,{DAY}", f"none,accept,,,{DAY}")
    first, second = houses.report(file)
    assert (
        (first.code, first.what)
        == (second.code, second.what)
        == (
            "REFERENCE",
            "No referral of this number is asked of the sender.",
        )
    )
    assert [one.code for one in houses.report(houses.send(f"one,accept,,,{DAY}", of="other"))] == ["REFERENCE"]
    assert houses.versions("theirs", "one") == before


def test_a_guarded_referral_that_no_consent_opens_is_not_there(houses: Houses) -> None:
    label = {"system": ACT, "code": "SUD"}
    houses.world.have({**houses.world.read("Task", "one"), "meta": {"security": [label]}})
    (line,) = houses.report(houses.send(f"one,accept,,,{DAY}"))
    assert line.code == "REFERENCE"
    assert houses.status("one") == "requested"


def guarded(houses: Houses, kind: str, identity: str) -> None:
    label = {"system": ACT, "code": "HIV"}
    houses.world.have({**houses.world.read(kind, identity), "meta": {"security": [label]}})


def test_how_a_guarded_referral_ended_is_told_to_nobody_who_guesses_it(houses: Houses) -> None:
    """It was open to the house while it was asked; now a consent alone would open it."""
    houses.send(f"one,decline,None left (invented),,{DAY}", f"two,accept,,,{DAY}", name="first.csv")
    guarded(houses, "Task", "one")
    guarded(houses, "Task", "two")
    # other lines than those that were done
    guesses = [f"one,decline,None left (invented),,{EVE}", f"one,accept,,,{EVE}", f"two,accept,,,{EVE}"]
    another = f"one,decline,Another,,{EVE}"
    report = [*houses.report(houses.send(*guesses)), *houses.report(houses.send(another, name="another.csv"))]
    assert [one.code for one in report] == ["REFERENCE"] * 4
    period = {"start": "2026-11-01", "end": "2027-11-01"}
    said = {
        "patient": to("Patient", "robin"),
        "performer": [to("Patient", "robin")],
        "policyRule": {"text": "invented"},
    }
    houses.world.have(consent(complete(to=[HOUSE], marked="HIV", period=period), id="yes", **said))
    (line,) = houses.report(houses.send(*guesses, name="agreed.csv"))
    assert (line.code, line.line) == ("MOVE", 3)
    assert [one.code for one in houses.report(houses.send(another, name="agreed-another.csv"))] == ["MOVE"]


def test_what_was_done_is_told_to_nobody_who_guesses_it(houses: Houses) -> None:
    """A Procedure that somebody else brought, and that is guarded."""
    houses.world.have(
        {
            "resourceType": "Procedure",
            "id": "theirs",
            "status": "completed",
            "code": {"text": "Deposit paid (invented)"},
            "subject": to("Patient", "robin"),
        }
    )
    output = {"type": concept(SDOHCC, ACTIVITY), "valueReference": to("Procedure", "theirs")}
    task = houses.world.read("Task", "one")
    for status in ("accepted", "completed"):
        houses.world.have(task | {"status": status, "output": [output]})
    line = "one,complete,,Deposit paid (invented),"
    assert houses.report(houses.send(line + DAY)) == []
    guarded(houses, "Procedure", "theirs")
    assert [one.code for one in houses.report(houses.send(line + EVE, name="again.csv"))] == ["MOVE"]


def test_a_feed_without_an_organization_is_taken_by_nobody(houses: Houses) -> None:
    file = houses.send(f"one,accept,,,{DAY}", of="nobody")
    assert file.state == REFUSED
    assert [one.code for one in houses.report(file)] == ["UNSUPPORTED"]
    assert houses.status("one") == "requested"


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        (f"one,decline,,,{DAY}", "REQUIRED", "reason"),
        (f"one,decline, ,,{DAY}", "REQUIRED", "reason"),
        (f"one,approve,,,{DAY}", "CODE", "answer"),
        (f",accept,,,{DAY}", "REQUIRED", "task"),
        (f"Patient/robin,accept,,,{DAY}", "IDENTIFIER", "task"),
        ("one,accept,,,", "REQUIRED", "day"),
        ("one,accept,,,2026-02-30", "DATE", "day"),
        (f"one,decline,{'x' * 501},,{DAY}", "LENGTH", "reason"),
    ],
)
def test_a_line_without_what_it_needs_moves_nothing(houses: Houses, line: str, code: str, column: str) -> None:
    file = houses.send(line)
    (reject,) = houses.report(file)
    assert (reject.code, reject.column) == (code, column)
    assert houses.status("one") == "requested"
    assert "robin" not in reject.what.lower()


def test_what_was_done_needs_words_and_a_day_that_was(houses: Houses) -> None:
    houses.send(f"one,accept,,,{DAY}", name="first.csv")
    (nothing,) = houses.report(houses.send(f"one,complete,,,{DAY}"))
    assert (nothing.code, nothing.column) == ("REQUIRED", "done")
    (old,) = houses.report(houses.send("one,complete,,Deposit paid,2019-01-01", name="old.csv"))
    assert (old.code, old.column) == ("REQUIRED", "day")
    assert houses.status("one") == "accepted"


def test_a_layout_of_their_own_is_said_by_the_feed(houses: Houses) -> None:
    houses.option(
        "house",
        columns={"Referral": "task", "Outcome": "answer", "Why": "reason", "Service": "done", "On": "day"},
        words={"answer": {"Yes": "accept", "No": "decline"}},
        dates=["%m/%d/%Y"],
    )
    header = "Referral,Outcome,Why,Service,On"
    assert houses.report(houses.send("one,YES,,,11/23/2026", header=header)) == []
    assert houses.status("one") == "accepted"


def test_a_cell_that_a_spreadsheet_guarded_is_what_was_said(houses: Houses) -> None:
    houses.send(f"one,decline,'=none left,,{DAY}")
    assert houses.world.read("Task", "one")["statusReason"] == {"text": "=none left"}


def test_a_line_that_was_done_and_not_marked_is_done_once(houses: Houses) -> None:
    """As where the hub was killed between the commit of the move and the mark."""
    row = "one,complete,,Deposit paid (invented)," + DAY
    houses.send(f"one,accept,,,{DAY}", name="first.csv")
    act = houses.loading.acts["referral-answers"]
    killed = houses.loading

    def dies(feed: object, kept: object) -> None:
        assert act(feed, kept) is None  # type: ignore[arg-type]
        raise Problem("busy", "killed here")

    path = houses.folder / "killed.csv"
    path.write_text(f"task,answer,reason,done,day\n{row}\n")
    _, seq = killed.arriving(path, "killed.csv", houses.feeds["house"])
    with pytest.raises(Problem, match="killed here"):
        replace(killed, acts={"referral-answers": dies}).run(seq)  # type: ignore[dict-item]
    assert houses.status("one") == "completed"
    file = replace(houses.loading, now=lambda: clock.now() + timedelta(minutes=5)).run(seq)  # the lease is over
    assert (file.state, houses.report(file)) == (DONE, [])
    assert len(houses.world.all("Procedure")) == 1


def test_another_thing_that_was_done_is_not_lost_silently(houses: Houses) -> None:
    houses.send(f"one,accept,,,{DAY}", f"one,complete,,Deposit paid (invented),{DAY}", name="first.csv")
    (line,) = houses.report(houses.send(f"one,complete,,Keys handed over (invented),{DAY}"))
    assert line.code == "MOVE"


def test_a_move_that_others_overtake_is_tried_again(houses: Houses, monkeypatch: pytest.MonkeyPatch) -> None:
    committed, others = Transactions.commit, [1]

    def overtaken(self: Transactions, *words: object, **named: object) -> object:
        if others and named.get("audit") is None and words[1].who.startswith(BY_FILE):  # type: ignore[attr-defined]
            others.pop()
            raise Problem("precondition", "somebody was faster")
        return committed(self, *words, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Transactions, "commit", overtaken)
    assert houses.report(houses.send(f"one,accept,,,{DAY}")) == []
    assert (others, houses.status("one")) == ([], "accepted")


def test_each_move_of_the_page_has_a_word_in_a_file() -> None:
    assert set(WORDS.values()) == set(PAGES_WORDS)
