"""docs/benchmarks.md from the figures in the repository (docs/benchmarks.json), with those of new runs in their
places: `python -m tests.bench.page [var/bench/….json …]`.

The figures are the run's; the sentences that explain them are here.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench import committed
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

`python -m tests.flows.kill_campaign --kills 150 --messages 500000`, last run 2026-11-23 15:59 UTC, both databases
at once on the machine above, niced, beside tests (load 5 to 12). A million hospital messages over 8 connections,
300 times `kill -9` at moments chosen at random; senders repeat what was not acknowledged.

| | SQLite | PostgreSQL |
|---|--:|--:|
| kills: all processes / the first / the web process / the database | 54 / 45 / 51 / – | 45 / 31 / 39 / 35 |
| acknowledged; of these sent more than once | 500,000; 6,348 | 500,000; 69,939 |
| lost / doubled / half applied / broken invariants | 0 / 0 / 0 / 0 | 0 / 0 / 0 / 0 |
| seconds | 2,319 | 2,555 |
| processed when it ended, the others wait in the inbox | 3,961 | 31,399 |

Back in service, measured apart (8 kills on each, 17:15 UTC, the machine did nothing else), from the kill to an
answer and an acknowledgment: all processes 5.4 and 5.8 s, the first alone 7.5 and 6.7 s, 7.7 s at the longest; goal
10 s.

None lost of 1,000,000: with 95 % confidence fewer than 3 in a million are, 6 on one database.
Acknowledging is what the kills hit most: the hub lived about three seconds between two of them, and its worker
processed little. That nothing of what is processed is lost or doubled is also held by tests/flows/test_kill_nine.py
and test_kill_campaign.py, where all is worked off before it is counted.
"""
CANDIDATES = """\
## Who a person might be, at 1,000,000 persons

`python -m tests.bench.identity_store 1000000` on the machine above: 400 persons of an invented county
(tests/bench/county_people.py) are sought among a million. SQLite: 2026-11-23 05:33 UTC, nearly alone, 29 are
compared on average. PostgreSQL: 00:50 UTC, under load, when 54 were compared.

| milliseconds (goal 10) | SQLite | PostgreSQL |
|---|--:|--:|
| find, p50 / p99 | 3.0 / 8.1 | 1.9 / 4.3 |
| find and compare, p50 / p99 | 4.6 / **10.4** | 4.4 / 8.1 |
"""
FILES = """\
## Files

Last run 2026-11-23 02:53 UTC on the machine above, one process.

| what | figure | goal |
|---|--:|--:|
| HMIS, 1,095,125 rows of 24 files read and validated (`files_hmis 1000000`) | 41,437 rows/s, 52 MB at most | 10,000 rows/s, 300 MB |
| HMIS, 219,044 rows kept, PostgreSQL / SQLite (`files_kept 200000`), 133 MB at most | 13,528 / 10,178 rows/s | |
| the same rows in another file: nothing changed | 20,828 / 26,975 rows/s | 20,000 |
| 834 of 100,000 members read, envelope checked (`files_834 100000`) | 12.8 s | |
| 834 of 100,000 members read with full validation by pyx12 | 33.2 s, 136 MB at most | |
| 834 of 20,000 members stored, PostgreSQL (`files_stored 20000 --postgresql`), envelope / full validation, beside four to six other busy processes (2026-11-23 04:53 UTC) | **698 / 772 resources/s**, 200 / 210 MB at most | 1,000 |
| 834 of 3,000 members stored, PostgreSQL, beside two to three others (2026-11-23 04:16 UTC) | 1,082 resources/s | 1,000 |
| 834 of 5,000 members stored, SQLite, one transaction after the other (02:53 UTC) | 872 resources/s | |
| the same 834 again, PostgreSQL / SQLite: X12 is taken apart more slowly than CSV | **10,357 / 13,466 rows/s** | 20,000 |

`files_stored` has the hub's own validation, identity, labels, audit and outbox, and fsync; a member is a Patient, a
Coverage and a Provenance. While transactions are committed, the next subjects are made ready: what is left is Python's
time, 0.6 to 0.9 ms a resource (index rows 20 %, identity 17, literal references and labels 12, reading 9, validation
5), and 0.27 ms of the server's on the other core. The rates were measured beside others, on two cores; by the lower
one an 834 of 100,000 members would take 8 minutes (goal: 2 without validation, 5 with it), by the higher one 5: that
was computed, not run. An unchanged file costs its parsing and validation: rows are compared afterwards.
"""  # noqa: E501
BUSY = """\
## Beside other work

Measured on 2026-11-23 between 04:00 and 05:45 UTC while other processes kept both cores busy, unless it says quiet; so
these are what was reached at least, and nothing to compare with the table above.

| what | figure | goal |
|---|--:|--:|
| ADT to webhook at 50/s, 1,000,000 panel rows, p99, quiet, a copy of the tree (`--only notices`): PostgreSQL / SQLite | **2.7 / 3.6 s** (SQLite 2.3 in a run before) | 2 s |
| processing, PostgreSQL, one worker, quiet | **121 messages/s** | 150 |
| notice's work in web and worker process, PostgreSQL | 6.7 to 7.9 ms (was 31.4) | |
| export (`python -m tests.bench.bulk`), PostgreSQL, 303,622 resources, 289 MB at most | 25,700 resources/s | 20,000 of 1,000,000: not run |
| export, SQLite, 62,822 resources, 184 MB at most | **18,300 and 21,600 resources/s** | 20,000 |
| import, PostgreSQL / SQLite | **1,315 / 930 to 957 resources/s** | 1,500 |
| write to notice at 50/s with 1,000 Subscriptions (`python -m tests.bench.subscriptions`), quiet, 13:04 UTC, SQLite, p50 / p95 / p99 | 64 / 300 / 554 ms | 1 s |
| the same, PostgreSQL, processes call each other (ADR 22) | 68 / 137 / 173 ms | 1 s |
| fan-out of one event with 10 / 100 / 1,000 / 10,000 Subscriptions, SQLite, quiet | 0.9 / 1.0 / 1.1 / 0.9 ms | less than linear |
"""  # noqa: E501
HOW = """\
## How it is measured

- **Messages** are ADT of 1 to 2 KB. Control ids and visits are unique; a quarter of the visits are of members of
  the county, known by their CIN, the others of people nobody knows; every fourth message ends a visit.
- **Frame → durable ACK**: open loop. A frame leaves on time whether or not earlier ones were answered, so a slow
  answer does not slow the questions. The time runs from the frame's last byte to the ACK. Meanwhile the worker
  processes the messages.
- **Durable ACKs a second**: closed loop. An ACK leaves after the commit that made its message durable. Afterwards
  the rows of the inbox are counted: there must be one for each ACK.
- **ADT → webhook**: admissions of one panel's members, one active Subscription with full resources. Beside that
  panel there are others of 2,000 people each, a million rows in all; each member stands in one of them, the others
  in them have no record here. The time runs from the moment before the frame's first byte leaves until the whole
  notice has arrived, so it holds both commits, the processing, the fan-out and the signed POST.
- **Full processing**: an inbox filled beforehand is worked off; by the inbox's own times, from the first message
  processed to the last. With PostgreSQL a process of its own does that (`HUB_INBOX_PROCESSES`), then two, while the
  web server's process works off the outbox; PostgreSQL runs on the same two cores.
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
            *(*_sight(result), *_floors(result), "", OTHER_RUNS, KILLS, CANDIDATES, FILES, BUSY, HOW),
        )
    )


def _about(result: Row) -> Iterator[str]:
    machine, size = result["machine"], result["size"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    yield f"Measured last on {result['date'].replace('T', ' ').replace('Z', ' UTC')}; each figure has its date."
    yield ""
    yield "| | |"
    yield "|---|---|"
    cores = f"{machine['cores']} cores of {machine['cpu']}"
    yield f"| machine | {cores}, {machine['memory_gb']} GB, {machine['kernel']} |"
    yield f"| databases | SQLite {machine['sqlite']}, PostgreSQL {machine['postgresql']} |"
    yield f"| Python | {machine['python']}; {packages} |"
    if loads := [row["more"]["load_before"] for row in result["figures"] if "load_before" in row["more"]]:
        yield f"| load average before measurements, by their predecessors too | {min(loads):g} to {max(loads):g} |"
    yield (
        f"| size | {size['members']} members ({size['demo']} for start and memory); open loop "
        f"{size['open_loop']:g} s after {size['warm_up']:g} s, closed loop {size['closed_loop']:g} s, "
        f"{size['notices']} notices beside panels of {size.get('roster', 0):,} rows, "
        f"{size['backlog']} messages in the filled inbox; FHIR API "
        f"{size['facade']:,} members ({size['facade'] * 12:,} resources), {size['facade_seconds']:g} s each |"
    )


def _figures(result: Row) -> Iterator[str]:
    found = {(row["key"], row["database"]): row for row in result["figures"]}
    yield "## Figures"
    yield ""
    yield ("| figure | goal | " + " | ".join(f"{NAMES[name]} | reached | of floor" for name in BOTH) + " | when |")
    yield "|---|---|" + "--:|---|--:|" * len(BOTH) + "---|"
    for measure in MEASURES:
        if measure.key.startswith(SIGHT):
            continue
        rows = [found.get((measure.key, name)) for name in BOTH]
        cells = " | ".join(_cells(measure, row) for row in rows)
        yield f"| {measure.title} | {_goal(measure)} | {cells} | {_dates(rows)} |"


def _dates(rows: Sequence[Row | None]) -> str:
    return ", ".join(sorted({row["date"][:16].replace("T", " ") for row in rows if row}))


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


def main() -> None:
    result = committed.together([committed.kept(), *committed.runs([Path(name) for name in sys.argv[1:]])])
    unknown = {row["key"] for row in result["figures"]} - BY_KEY.keys()
    assert not unknown, f"figures that the table does not know: {unknown}"
    committed.keep(result)
    PAGE.write_text(page(result))
    print(f"{PAGE.relative_to(ROOT)} is written, as of {result['date']}")


if __name__ == "__main__":
    main()
