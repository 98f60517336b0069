"""known-failures.md SEC-49: 64 threads of three nodes bring many people at the same moment, each from two
hospitals: one Patient for each person, on both databases."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import date, timedelta
from random import random
from time import sleep

import pytest

from hub.inbox.arrivals import accept
from hub.inbox.messages import MESSAGE, Arrival, Message
from hub.problems import Problem
from hub.store.engine import Database
from tests.adapters.adt.test_members import ward_of
from tests.adapters.adt.ward import SOURCE, Ward
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import ROWS

NODES, THREADS, HOSPITALS = 3, 64, ("SMC", "NVH")
TRIES = 200  # as the worker does: whoever was overtaken comes again, a moment later
LETTERS = "abcdefghij"


@pytest.fixture
def nodes(database_url: str) -> Iterator[list[Ward]]:
    """Three processes of the hub, as far as the database can tell."""
    databases = [Database(database_url, pool_size=16) for _ in range(NODES)]
    yield [ward_of(each, ROWS[1]) for each in databases]
    for each in databases:
        each.close()


def newcomer(number: int, code: str, time: int) -> bytes:
    """The same person at each hospital, with the CIN; a visit for each time."""
    name = "Testfamily" + "".join(LETTERS[int(digit)] for digit in str(number))
    born = date(1930, 1, 2) + timedelta(days=17 * number)
    fields = {"PID-5": f"{name}^Robin^^^^^L", "PID-7": born.strftime("%Y%m%d")}
    fields |= {"PID-11": f"{number} Sample St^^Fresno^CA^93701", "PID-13": ""}
    own = {"mrn": f"{code}{number}", "visit": f"{code}V{number}-{time}", "cin": f"9{1000000 + number}A"}
    return adt("A01", f"c{number}{code}{time}", facility=code, fields=fields, **own)


def all_at_once(nodes: list[Ward], people: int, visits: int) -> None:
    """`visits` of each person at each hospital."""
    times = range(1, visits + 1)
    raws = [newcomer(n, code, time) for n in range(people) for time in times for code in HOSPITALS]
    arrivals = [Arrival(SOURCE, "EPICADT|SMC", f"c{at}", raw, nodes[0].micros()) for at, raw in enumerate(raws)]
    nodes[0].database.writing(lambda connection: accept(connection, arrivals))
    messages = _received(nodes[0].database)
    assert len(messages) == len(raws)

    def do(node: Ward, message: Message) -> None:
        for _ in range(TRIES):
            with suppress(Overtaken):
                _worked(node, message)
                return
            sleep(random() / 10)
        raise Overtaken

    with ExitStack() as stack:
        # a node's threads are its own, as a process's are: each keeps a connection to read with
        pools = [stack.enter_context(ThreadPoolExecutor(-(-THREADS // NODES))) for _ in nodes]
        work = [pools[at % NODES].submit(do, nodes[at % NODES], message) for at, message in enumerate(messages)]
    for each in work:
        each.result()


class Overtaken(Exception):
    """Another one was first: the worker comes again."""


def _worked(node: Ward, message: Message) -> None:
    try:
        node.processor(message)
    except Problem as problem:
        if problem.kind not in ("busy", "precondition", "conflict", "multiple-matches"):
            raise
        raise Overtaken from problem


def _received(database: Database) -> list[Message]:
    """All, also those that stand behind another one of their member: here nobody minds the order."""
    with database.read() as connection:
        return [Message(*row) for row in connection.execute(MESSAGE)]


def one_each(ward: Ward, people: int) -> None:
    active = [one for one in ward.all("Patient") if one.get("active", True)]
    numbers = Counter(
        each["value"] for one in active for each in one["identifier"] if each["value"].startswith("9")
    )
    assert len(active) == people
    assert set(numbers.values()) == {1}
    assert {len(one["identifier"]) for one in active} == {3}


def test_sixty_four_threads_of_three_nodes_bring_each_person_once(nodes: list[Ward]) -> None:
    all_at_once(nodes, 20, visits=2)
    one_each(nodes[0], 20)


@pytest.mark.long
def test_a_thousand_persons_come_at_once_and_each_is_one(nodes: list[Ward]) -> None:
    """Each is brought twice: what a message costs, it costs two thousand times."""
    all_at_once(nodes, 1000, visits=1)
    one_each(nodes[0], 1000)
    assert {state for state, _, _ in nodes[0].states()} == {"processed"}
