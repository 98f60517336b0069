"""R15: a stream in which 10 % come twice, 10 % are swapped within 20 and 1 % come a day late ends as the stream in
order does, with one Encounter for each visit."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import func, select

from adapters.adt.process import SOURCE
from hub.inbox import arrivals
from hub.inbox.messages import Arrival
from hub.store.engine import Database
from hub.store.tables import inbox
from tests.adapters.adt.ward import Ward
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import ROWS

EVENTS = ("A01", "A02", "A08", "A08", "A03", "A08")
WINDOW = 20


def stream(visits: int) -> list[tuple[str, bytes]]:
    """Of so many people, each a stay of six events; in the order in which it happened."""
    told = []
    for number in range(visits):
        for step, event in enumerate(EVENTS):
            minute = (number * 7 + step * 31) % 60
            at = f"20261122{8 + step:02d}{minute:02d}00"
            name = f"c{number}-{step}"
            fields = {
                "PID-5": f"Testperson{chr(65 + number % 26)}{chr(97 + number // 26)}^Robin",
                "PID-7": f"{1931 + number % 70}0102",
                "PID-13": f"^PRN^PH^^1^916^555{step:04d}",
                "PV1-3": f"{step}W^{number}^B^SMC",
                "IN1": None,
            }
            raw = adt(event, name, mrn=f"M{number}", visit=f"V{number}", cin=None, at=at, fields=fields)
            told.append((at, name, raw))
    return [(name, raw) for _, name, raw in sorted(told)]


def disturbed(told: list[tuple[str, bytes]], chance: Random) -> list[tuple[str, bytes]]:
    late = [each for each in told if chance.random() < 0.01] or told[:1]
    found = [each for each in told if each not in late]
    for place in range(len(found)):
        if chance.random() < 0.1:
            other = min(len(found) - 1, place + chance.randint(1, WINDOW))
            found[place], found[other] = found[other], found[place]
    for _ in range(len(told) // 10):
        found.insert(chance.randrange(len(found)), chance.choice(found))
    return found + late


@pytest.fixture
def ordered(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Ward]:
    database = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'ordered.db')}")
    yield Ward(database, ROWS)
    database.close()


def sent(ward: Ward, told: list[tuple[str, bytes]]) -> list[str]:
    """What each sender is answered, and the work is done as messages come."""
    receipts = []
    for name, raw in told:
        arrival = Arrival(SOURCE, "EPICADT|SMC", name, raw, ward.micros())
        receipts += ward.database.writing(lambda c, one=arrival: arrivals.accept(c, [one]))  # type: ignore[misc]
        ward.works()
    return receipts


def facts(ward: Ward) -> list[str]:
    """But places that a message named before a later one corrected it: nothing leads there any more."""
    return [each for each in ward.state() if '"resourceType": "Location"' not in each]


@pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.long])],
    indirect=True,
)
@pytest.mark.parametrize(
    ("visits", "seed"), [(12, 1), *(pytest.param(60, n, marks=pytest.mark.long) for n in range(5))]
)
def test_a_disturbed_stream_ends_as_the_one_in_order(
    database: Database, ordered: Ward, visits: int, seed: int
) -> None:
    told, ward = stream(visits), Ward(database, ROWS)
    other = disturbed(told, Random(seed))
    assert [name for name, _ in other] != [name for name, _ in told]
    assert set(sent(ordered, told)) == {"new"}
    receipts = sent(ward, other)
    assert receipts.count("duplicate") == len(other) - len(told) > 0
    assert receipts.count("new") == len(told)
    assert len(ward.all("Encounter")) == len(ward.all("Patient")) == visits
    assert {state for state, _, _ in ward.states()} == {"processed"}
    assert facts(ward) == facts(ordered)
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(inbox)).scalar_one() == len(told)
