"""R25: mutated input for every parser that strangers reach; each must take it or refuse it in its own words, soon.

    python -m tests.faults.fuzz N [--seed 7] [--parser json]        N inputs for each parser

Inputs are the same for the same seed. Counted are: taken, refused, crashes (an error that is no refusal, an answer
5xx, one that is no OperationOutcome), hangs (over a second of processor time), and the longest time. Exit code 1
where something crashed or hung; its input is printed (all people in it are invented).
"""

import argparse
import json
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.faults import fuzzed

HANG, ENDLESS = 1.0, 10.0  # seconds of processor time; of the clock, when it is broken off
MOST_CHANGES = 6
ANY = (
    b"",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"9" * 40,
    b"-1",
    b"1e999",
    b"A" * 3000,
    b"\r\n",
    b" ",
)


@dataclass(frozen=True, slots=True)
class Parser:
    """`check` returns whether the input was taken; it raises where it was neither taken nor refused."""

    name: str
    seeds: Sequence[bytes]
    words: Sequence[bytes]
    check: Callable[[bytes], bool]


@dataclass
class Found:
    parser: str
    inputs: int = 0
    taken: int = 0
    refused: int = 0
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    longest_ms: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not (self.crashes or self.hangs)

    def row(self) -> dict[str, object]:
        counts = {"crashes": len(self.crashes), "hangs": len(self.hangs)}
        told = {"parser": self.parser, "inputs": self.inputs, "taken": self.taken, "refused": self.refused}
        return {**told, **counts, "longest_ms": round(self.longest_ms, 1)}


def mutated(chance: Random, parser: Parser) -> bytes:
    """One of its seeds with some changes: bytes turned, cut out, doubled, moved, and words of the format put in."""
    found = bytearray(chance.choice(parser.seeds))
    for _ in range(chance.randint(1, MOST_CHANGES)):
        at = chance.randrange(len(found) + 1)
        end = min(len(found), at + chance.choice((1, 2, 8, 64)))
        match chance.randrange(7):
            case 0 if found and at < len(found):
                found[at] ^= 1 << chance.randrange(8)
            case 1:
                del found[at:end]
            case 2:
                found[at:at] = found[at:end] * chance.choice((1, 2, 50))
            case 3:
                found[at:end] = chance.choice(parser.words)
            case 4:
                found[at:at] = chance.choice(ANY)
            case 5:
                other = chance.choice(parser.seeds)
                begin = chance.randrange(len(other) + 1)
                found[at:end] = other[begin : begin + chance.choice((4, 32, 400))]
            case _ if chance.random() < 0.3:
                del found[at:]
    return bytes(found)


@contextmanager
def _in_time() -> Iterator[None]:
    def over(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, ENDLESS * 3)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(parser: Parser, count: int, seed: int) -> Found:
    found, chance = Found(parser.name), Random(f"{seed} {parser.name}")
    for seeded in parser.seeds:
        assert parser.check(seeded), f"a seed of {parser.name} is refused: its mutations would tell little"
    for _ in range(count):
        _one(parser, mutated(chance, parser), found)
    return found


def _one(parser: Parser, data: bytes, found: Found) -> None:
    found.inputs += 1
    began = time.process_time()
    try:
        with _in_time():
            taken = parser.check(data)
    except Exception:
        found.crashes.append(f"{data!r}\n{traceback.format_exc(limit=-4)}")
    else:
        found.taken += taken
        found.refused += not taken
    took = time.process_time() - began
    if took > HANG:  # what hangs does so each time; a collection of the whole process' garbage does not
        took = min(took, _again(parser, data))
    found.longest_ms = max(found.longest_ms, took * 1000)
    if took > HANG:
        found.hangs.append(f"{took:.1f} s: {data!r}")


def _again(parser: Parser, data: bytes) -> float:
    began = time.process_time()
    with suppress(Exception), _in_time():
        parser.check(data)
    return time.process_time() - began


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("inputs", type=int)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--parser", default="")
    chosen = options.parse_args()
    clean = True
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, fuzzed.parsers(Path(folder)) as parsers:
        for parser in parsers:
            if chosen.parser in ("", parser.name):
                found = run(Parser(*parser), chosen.inputs, chosen.seed)
                clean &= found.is_clean
                print(json.dumps(found.row()), flush=True)
                print("\n".join([*found.crashes[:3], *found.hangs[:3]]), file=sys.stderr)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
