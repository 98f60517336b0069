"""docs/benchmarks.md from the newest complete run, or from several runs of some sections each:
`python -m tests.bench.page [var/bench/….json …]`.

The figures are the run's; the sentences that explain them are here.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.measures import BOTH, BY_KEY, COMPARED, FLOORS, MEASURES, SEARCHES, VIEWERS, Measure
from tests.flows.hub_process import ROOT

Row = dict[str, Any]
PAGE = ROOT / "docs" / "benchmarks.md"
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
SIGHT, RESOURCES = "sight.", "resources"
SEEN = """\
## Who sees what

The predicate that says which resources are there for whoever asks. The goal is for 1,000,000 resources; measured
were {measured}. The first five searches find the same for all of them: behind each time, how many times the hub's
own, which knows no predicate; the goal is at most × 1.2, and what misses it is bold. What the last two find differs
by who asks. Who is asked for referrals (a role of a minimum set of elements) also has its answers cut to that.
"""
REACHED = {None: "–", True: "yes", False: "**no**"}
INTRODUCTION = """\
# Benchmarks

`make bench` measures, `python -m tests.bench.page` writes this page from what it measured. The hub runs whole, as
`hub serve` starts it: listener, web server and worker, on the machine that also runs the load and the database. So
a figure is what a small server does, not what a part of it could do alone. Everything is durable: SQLite with
`synchronous=FULL`, PostgreSQL with `fsync` and `synchronous_commit` on.
"""
OTHER_RUNS = """\
## How far to trust it

The machine is shared and its speed changes by a factor of two within minutes. The page joins several runs, each
alone on the machine; each "of floor" is of the figure's own run. A later run is of newer code, and its figures
replace the earlier ones. The FHIR API at 20,000 members on 2026-11-22, answers a second:

| run | empty Flask answer | read | create | update | CarePlan with _include | transaction | its p99 |
|---|--:|--:|--:|--:|--:|--:|--:|
| PostgreSQL 11:13, before the changes of the afternoon | 6,304 | 3,050 | 796 | 600 | 1,501 | 172 | 109 ms |
| PostgreSQL 13:29 | 11,025 | 3,686 | 942 | 922 | 2,840 | 249 | 73 ms |
| PostgreSQL 14:04, the one above | 12,868 | 4,642 | 1,198 | 1,056 | 2,615 | 293 | 61 ms |
| SQLite 11:13, before writers shared a commit | 6,304 | 5,705 | 390 | 439 | 2,871 | 87 | 248 ms |
| SQLite 13:29 | 11,025 | 5,926 | 586 | 784 | 3,301 | 136 | 244 ms |
| SQLite 14:04, the one above | 12,868 | 5,956 | 491 | 630 | 3,882 | 147 | 252 ms |

SQLite misses create, update and the p99 of transactions: each create touches some thirty pages of the index, which
are written to the log, and again to the database when the log is brought in; meanwhile nobody writes.
"""
KILLS = """\
## Kills

`python -m tests.flows.kill_campaign`, last run 2026-11-22 23:54 UTC, both databases at once on the machine above.
100,000 hospital messages over 8 connections, 100 times `kill -9` at moments chosen at random; senders repeat what
was not acknowledged.

| | SQLite | PostgreSQL |
|---|--:|--:|
| kills: all processes / the first / the web process / the database | 32 / 31 / 37 / – | 29 / 20 / 25 / 26 |
| acknowledged; of these sent more than once | 100,000; 4,213 | 100,000; 37,254 |
| lost / doubled / half applied | 0 / 0 / 0 | 0 / 0 / 0 |
| seconds | 372 | 319 |
| processed when it ended, the others wait in the inbox | 4,405 | 1,672 |

Acknowledging is what the kills hit most: the hub lived about three seconds between two of them, and its worker
processed little. That nothing of what is processed is lost or doubled is also held by tests/flows/test_kill_nine.py
and test_kill_campaign.py, where all is worked off before it is counted.
"""
HOW = """\
## How it is measured

- **Messages** are ADT of 1 to 2 KB. Control ids and visits are unique; a quarter of the visits are of members of
  the county, known by their CIN, the others of people nobody knows; every fourth message ends a visit.
- **Frame → durable ACK**: open loop. A frame leaves on time whether or not earlier ones were answered, so a slow
  answer does not slow the questions. The time runs from the frame's last byte to the ACK. Meanwhile the worker
  processes the messages.
- **Durable ACKs a second**: closed loop. An ACK leaves after the commit that made its message durable. Afterwards
  the rows of the inbox are counted: there must be one for each ACK.
- **ADT → webhook**: admissions of one panel's members, one active Subscription with full resources. The time runs
  from the moment before the frame's first byte leaves until the whole notice has arrived, so it holds both commits,
  the processing, the fan-out and the signed POST.
- **Full processing**: an inbox filled beforehand is worked off; by the inbox's own times, from the first message
  processed to the last.
- **Memory** is what Linux calls resident, after the demo county, hospital messages and reads. The sum counts pages
  that processes share once for each of them; the second figure counts them once.
- **FHIR API** is measured by `fhirload.py`, the load generator that peers were measured with (not part of this
  project: `FHIRLOAD` names it). It seeds members with a transaction of 12 resources each, then runs each
  interaction with eight connections and checks the meaning of the answers. Two web processes; the generator, the
  database and the worker share the two cores with them. The goals are multiples of what Medplum 5.0 answered there.
- **At 10,000 and 1,000,000 resources**: one connection, one question after the other; the resources are written by
  the hub's own store beforehand.
- **Who sees what**: in one process, without HTTP and the audit, from the parsed address to the written answer. The
  same question is asked by everybody in turn; those that are compared are about members of the small panel, and it
  is checked that everybody finds the same. One member in 25 has referrals labelled as of substance use, and a
  consent that opens them to those who ask.
- **Token, limits and predicate**: CPU time of the process. A PostgreSQL server's is not in it.
- **The audit**: two hubs on copies of one county, one with the audit and one without, take turns; each runs alone.
  The cost is the median of the rounds. The worker brings the records into the chain meanwhile.
- **REST** is a first look, without a goal yet: eight connections, each asks anew when it has its answer.
- **Of floor** is the figure divided by what this machine does without the hub, in the same run: the same commit by
  the bare driver, an empty Flask answer through the same server. A slow disk or a busy neighbour moves both.
"""


def page(result: Row) -> str:
    return "\n".join(
        (
            *(INTRODUCTION, *_about(result), "", *_figures(result), ""),
            *(*_sight(result), *_floors(result), "", OTHER_RUNS, KILLS, HOW),
        )
    )


def _about(result: Row) -> Iterator[str]:
    machine, size = result["machine"], result["size"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    yield f"Measured on {result['date'].replace('T', ' ').replace('Z', ' UTC')}."
    yield ""
    yield "| | |"
    yield "|---|---|"
    cores = f"{machine['cores']} cores of {machine['cpu']}"
    yield f"| machine | {cores}, {machine['memory_gb']} GB, {machine['kernel']} |"
    yield f"| databases | SQLite {machine['sqlite']}, PostgreSQL {machine['postgresql']} |"
    yield f"| Python | {machine['python']}; {packages} |"
    loads = [row["more"]["load_before"] for row in result["figures"]]
    yield f"| load average before each measurement, by its predecessors too | {min(loads):g} to {max(loads):g} |"
    yield (
        f"| size | {size['members']} members ({size['demo']} for start and memory); open loop "
        f"{size['open_loop']:g} s after {size['warm_up']:g} s, closed loop {size['closed_loop']:g} s, "
        f"{size['notices']} notices, {size['backlog']} messages in the filled inbox; FHIR API "
        f"{size['facade']:,} members ({size['facade'] * 12:,} resources), {size['facade_seconds']:g} s each |"
    )


def _figures(result: Row) -> Iterator[str]:
    found = {(row["key"], row["database"]): row for row in result["figures"]}
    yield "## Figures"
    yield ""
    yield "| figure | goal | " + " | ".join(f"{NAMES[name]} | reached | of floor" for name in BOTH) + " |"
    yield "|---|---|" + "--:|---|--:|" * len(BOTH)
    for measure in MEASURES:
        if measure.key.startswith(SIGHT):
            continue
        cells = [_cells(measure, found.get((measure.key, name))) for name in BOTH]
        yield f"| {measure.title} | {_goal(measure)} | " + " | ".join(cells) + " |"


def _cells(measure: Measure, row: Row | None) -> str:
    if row is None:
        return "not measured | – | "
    ratio = "" if row["ratio"] is None else f"× {row['ratio']:g}"
    return f"{row['value']:,g} {measure.unit} | {REACHED[row['reached']]} | {ratio}"


def _goal(measure: Measure) -> str:
    if measure.goal is None:
        return ""
    where = "" if measure.held == BOTH else f" ({', '.join(NAMES[name] for name in measure.held)})"
    return f"{'≥' if measure.least else '≤'} {measure.goal:,g} {measure.unit}{where}"


def _sight(result: Row) -> Iterator[str]:
    """Its figures as tables of their own, a database each."""
    found = {(row["key"], row["database"]): row for row in result["figures"]}
    if not any(key.startswith(SIGHT) for key, _ in found):
        return
    measured = ", ".join(f"{_resources(found, name):,} with {NAMES[name]}" for name in BOTH)
    yield SEEN.format(measured=measured)
    for database in BOTH:
        yield f"| {NAMES[database]}, p50 in µs | " + " | ".join(VIEWERS.values()) + " |"
        yield "|---|" + "--:|" * len(VIEWERS)
        for name in (*COMPARED, *(each for each in SEARCHES if each not in COMPARED)):
            cells = (_seen(found, f"{SIGHT}{name}.{viewer}", database) for viewer in VIEWERS)
            yield f"| {SEARCHES[name]} | " + " | ".join(cells) + " |"
        yield ""


def _resources(found: Mapping[tuple[str, str], Row], database: str) -> int:
    return max((row["more"].get(RESOURCES, 0) for (_, where), row in found.items() if where == database), default=0)


def _seen(found: Mapping[tuple[str, str], Row], key: str, database: str) -> str:
    row, ratio = found.get((key, database)), found.get((f"{key}.ratio", database))
    if row is None:
        return "not measured"
    said = "" if ratio is None else f" × {ratio['value']:g}"
    return f"{row['value']:,g}{said if ratio is None or ratio['reached'] else f' **{said.strip()}**'}"


def _floors(result: Row) -> Iterator[str]:
    values = {row["key"]: row["value"] for row in result["floors"]}
    yield "## Floors of this machine, in the same run"
    yield ""
    yield "| floor | |"
    yield "|---|--:|"
    for measure in FLOORS:
        if measure.key in values:
            yield f"| {measure.title} | {values[measure.key]:,g} {measure.unit} |"


def newest_complete(paths: Sequence[Path]) -> Row:
    """Raises LookupError where no run measured everything."""
    for path in sorted(paths, reverse=True):
        result: Row = json.loads(path.read_text())
        if result["complete"]:
            return result
    raise LookupError("no complete run in var/bench: run `make bench` first")


def together(paths: Sequence[Path]) -> Row:
    """Several runs, each of some sections, as one; where two measured the same, the later run counts."""
    results = sorted((json.loads(path.read_text()) for path in paths), key=lambda each: str(each["date"]))
    merged: Row = dict(results[-1])
    for each in results:
        for row in each["figures"]:
            if row["key"].startswith(SIGHT):
                row["more"][RESOURCES] = each["size"]["scale"][1]
    for name in ("figures", "floors"):
        rows = {(row["key"], row["database"]): row for each in results for row in each[name]}
        merged[name] = list(rows.values())
    merged["date"] = " and ".join(each["date"] for each in results)
    return merged


def main() -> None:
    chosen = [Path(name) for name in sys.argv[1:]]
    result = together(chosen) if chosen else newest_complete(list((ROOT / "var" / "bench").glob("*.json")))
    unknown = {row["key"] for row in result["figures"]} - BY_KEY.keys()
    assert not unknown, f"figures that the table does not know: {unknown}"
    PAGE.write_text(page(result))
    print(f"{PAGE.relative_to(ROOT)} is written from the run of {result['date']}")


if __name__ == "__main__":
    main()
