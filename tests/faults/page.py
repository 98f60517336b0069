"""The page docs/faults.md, printed from faults.csv: each fault, what proves that the hub survives it, and what not.

python -m tests.faults.page > docs/faults.md
python -m tests.faults.page tests               the tests that the table names
"""

import csv
import sys
from pathlib import Path

TABLE = Path(__file__).with_name("faults.csv")
BEGINNING = """\
# Faults and loads

Each fault that the hub must survive, what proves it, what was measured, and what is not proven and why. Printed
from [tests/faults/faults.csv](../tests/faults/faults.csv): `python -m tests.faults.page > docs/faults.md`.

`make test-faults` runs every test of the table and those of `tests/faults` that take long; `make test` runs most of
them with small numbers. After a fault the same things are looked at, on what is stored
([tests/faults/invariants.py](../tests/faults/invariants.py)):

| | invariant |
| --- | --- |
| I1 | no reference leads to nothing |
| I2 | versions are 1 … n, without a gap and without a repeat |
| I3 | the search index is what the resources say |
| I4 | each version that is an event has its rows in the outbox, once |
| I5 | each version that was written has its record in the audit, once, and the chain is whole |
| I6 | the database is sound (`PRAGMA integrity_check`, `pg_amcheck`) |
| I7 | a stored message is the bytes that came |
| I8 | a Bundle is there wholly or not at all |

Kills in great number: `python -m tests.flows.kill_campaign --database postgresql --kills 300 --messages 1000000`.
None lost of N acknowledged is a rate below 3/N, with 95 % confidence.

| row | fault | proved by | figure | not proven, and why |
| --- | --- | --- | --- | --- |
"""


def rows() -> list[dict[str, str]]:
    """The table; `proved_by` holds tests (`path::name`) and commands, with `; ` between them."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def proofs(row: dict[str, str]) -> list[str]:
    return [each for each in row["proved_by"].split("; ") if each]


def nodes(row: dict[str, str]) -> list[str]:
    """The node ids among the proofs."""
    return [each for each in proofs(row) if each.startswith("tests/")]


def page() -> str:
    return BEGINNING + "".join(map(_line, rows()))


def _line(row: dict[str, str]) -> str:
    proved = "<br>".join(f"`{each.removeprefix('tests/')}`" for each in proofs(row))
    cells = (row["row"], row["fault"], proved, row["figure"], row["reason"])
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["tests"]:
        print("\n".join(sorted({each for row in rows() for each in nodes(row)})))
    else:
        print(page(), end="")
