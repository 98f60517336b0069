"""Broken messages: each becomes valid resources or a named problem, soon, and nothing else."""

import time
from random import Random

import pytest

from adapters.adt.message import parse
from conformance.validation import structure
from fhir_mappings.adt.events import EVENTS, MERGE, PERSON
from fhir_mappings.adt.member_keys import merge_keys
from fhir_mappings.adt.problems import AdtProblem
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, FACILITIES, MESSAGES, bundle, person

WHOLE = [path.read_bytes() for path in sorted(MESSAGES.glob("*.hl7"))]
PIECES = [
    b'""',
    b"|",
    b"^",
    b"~",
    b"&",
    b"\\",
    b"\r",
    b"99991231235959",
    b"00010101",
    b"Y",
    b"-1",
    b"\xff",
    b"\x00",
]
PIECES += [b"X" * 50, b"I10", b"20261122", b"\\F\\", b"\\X41", b""]
HEAD = 20  # the delimiters and the sender stay: others are refused before anything is parsed
SECONDS = 1  # of the processor: others may run meanwhile


def mutated(random: Random) -> bytes:
    raw = bytearray(random.choice(WHOLE))
    for _ in range(random.randint(1, 6)):
        place = random.randrange(HEAD, max(len(raw), HEAD + 1))
        if random.random() < 0.5:
            raw[place : place + random.randint(0, 4)] = random.choice(PIECES)
        else:
            fields = bytes(raw).split(b"|")
            fields[random.randrange(len(fields) // 3, len(fields))] = random.choice(
                [*PIECES, random.choice(fields)]
            )
            raw = bytearray(b"|".join(fields))
    return bytes(raw)


def issues(raw: bytes) -> list[str]:
    """What is wrong with what was made of a message; nothing where it has a named problem."""
    try:
        record = parse(raw)
        facility = FACILITIES.of(record.facility)
        if EVENTS[record.event].scope == MERGE:
            merge_keys(record, facility, CIN_SYSTEM)
            return []
        sent = (person if EVENTS[record.event].scope == PERSON else bundle)([record])
    except AdtProblem as problem:
        return [] if problem.where else ["a problem of no place"]
    every = [issue for entry in sent["entry"] for issue in structure.validate(entry["resource"])]
    # without a control id a message is refused before it is parsed
    return [f"{each.message} {each.where}" for each in every if "entity[0].what.identifier" not in each.where]


def check(seed: int, count: int) -> None:
    random = Random(seed)
    for _ in range(count):
        raw = mutated(random)
        began = time.process_time()
        assert issues(raw) == [], raw
        assert time.process_time() - began < SECONDS


@pytest.mark.parametrize("seed", range(4))
def test_a_mutated_message_is_valid_fhir_or_a_named_problem(seed: int) -> None:
    check(seed, 500)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 200))
def test_a_million_mutated_messages_are_valid_fhir_or_named_problems(seed: int) -> None:
    check(seed, 10_000)
