"""What messages of one transaction ask is asked for all of them at once, and each gets its own answer."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from hub.store.engine import Database
from hub.store.prepared import Prepared
from tests.adapters.adt.test_members import ward_of
from tests.adapters.adt.test_together import arrive, ended, newcomer
from tests.adapters.adt.ward import Ward
from tests.fhir_mappings.adt.stay import ROWS

MOVED = "7 New St"


@pytest.fixture
def ward(database: Database) -> Ward:
    return ward_of(database, ROWS[1])


def admitted(number: int, at: str) -> bytes:
    return newcomer(number, control_id=f"a{number}", EVN_2=at)


def moved(number: int, at: str) -> bytes:
    return _again(number, at, PID_11=f"{MOVED}^^Fresno^CA^93701")


def married(number: int) -> bytes:
    """The Patient changes, and nothing by which people are compared."""
    return _again(number, "20261122100000", PID_16="M")


def _again(number: int, at: str, **also: str) -> bytes:
    """Told in another visit."""
    return newcomer(number, control_id=f"m{number}", EVN_2=at, PV1_19=f"W{number}^^^SMC^VN", **also)


def test_what_comes_late_is_late_for_its_own_member_alone(ward: Ward) -> None:
    first = arrive(ward, admitted(0, "20261122120000"), admitted(1, "20261122080000"))
    assert ended(ward, messages=first) == [None] * 2
    at = "20261122100000"
    assert ended(ward, messages=arrive(ward, moved(0, at), moved(1, at))) == [None] * 2
    lines = {one["birthDate"][:4]: one["address"][0]["line"] for one in ward.all("Patient")}
    assert lines == {"1931": ["0 Sample St"], "1932": [MOVED]}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.postgresql
def test_known_members_cost_no_statement_each(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(ward, messages=arrive(ward, *(admitted(n, "20261122080000") for n in range(9)))) == [None] * 9
    asked: list[str] = []
    monkeypatch.setattr(Prepared, "execute", _noting(asked, Prepared.execute))
    for n in range(3):  # directories, samples and what is common are looked at once
        ended(ward, messages=arrive(ward, married(n)))
    counts = []
    for some in ((3, 4), (5, 6, 7, 8)):
        messages = arrive(ward, *map(married, some))
        asked.clear()
        assert ended(ward, messages=messages) == [None] * len(some)
        counts.append(Counter(asked))
    assert counts[0] == counts[1]


def _noting(asked: list[str], execute: Callable[..., Any]) -> Callable[..., Any]:
    def noted(self: Prepared, statement: str, values: Any = ()) -> Any:
        asked.append(statement)
        return execute(self, statement, values)

    return noted
