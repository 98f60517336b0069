"""Where the time of the three hottest paths goes: reads and searches, transactions, hospital messages.

    python -m tests.bench.profiles [--database sqlite|postgresql|both] [--seconds 15]

writes docs/profiles.md. py-spy looks at every process of a running hub 200 times a second while the path is under
load, and what runs as Python (holds the interpreter's lock) is counted: by part of the hub or library, and by
function. What the hub and PostgreSQL take of the CPU stands above it, from /proc.
https://github.com/benfred/py-spy, https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from adapters.adt.group_commit import into
from adapters.adt.intake import intake
from hub import clock
from tests.bench import rest
from tests.bench.grounds import Ground, Running, Size, ground
from tests.bench.http_load import Load, Request
from tests.bench.machine import machine
from tests.bench.measures import BOTH
from tests.bench.page import NAMES
from tests.bench.visits import Visits
from tests.flows.hub_process import ROOT

PAGE = ROOT / "docs" / "profiles.md"
PY_SPY = Path(sys.executable).with_name("py-spy")
A_SECOND = 200
FUNCTIONS, PARTS = 15, 12
MESSAGES = 5000  # more than are worked off meanwhile
MEMBERS = 2000
OURS = ("hub", "fhir_mappings", "adapters", "auth", "conformance")
# as py-spy names a function: `read (hub/store/keyed.py)`, and of which process
FRAME = re.compile(r"(?P<function>.+) \((?P<file>.+?)(:\d+)?\)$")
STAT = re.compile(r"(\d+) \((.*)\) (.*)", re.DOTALL)
TICKS = os.sysconf("SC_CLK_TCK")
LIBRARY = re.compile(r"(.*/)?(site-packages|dist-packages|lib/python[\d.]+)/")
INTRODUCTION = """\
# Where the time goes

`python -m tests.bench.profiles` writes this page: the three hottest paths, each under load for {seconds:g} seconds,
on {cores} cores of {cpu}, {date}. {rate} times a second py-spy looked at every process of the hub. A share is of
the looks that found Python at work; what waits, and what SQLite or the network do meanwhile, is not in it. "Own" is
the function itself with the C code it calls, "with all it calls" what is below it, too.
"""


@dataclass(frozen=True, slots=True)
class HotPath:
    """A path: its title, what happens before the hub starts, and the load."""

    title: str
    prepare: Callable[[Running], None]
    drive: Callable[[Running, float], None]


def _nothing(_: Running) -> None:
    pass


def _reads(running: Running, seconds: float) -> None:
    kinds = cycle([ask(MEMBERS) for ask in (rest.read, rest.by_identifier, rest.tasks)])
    _load(running, lambda: next(kinds)(), seconds)


def _transactions(running: Running, seconds: float) -> None:
    _load(running, rest.transaction(0), seconds)


def _load(running: Running, ask: Callable[[], Request], seconds: float) -> None:
    Load(running.hub.http_port, ask, rest.headers(running), warm_up=0, seconds=seconds).run()


def _messages(running: Running) -> None:
    visits = Visits(MEMBERS)
    frames = [visits.next()[1:-2] for _ in range(MESSAGES)]
    into(running.database)([intake(frame, clock.micros(clock.now()), False).arrival for frame in frames])


PATHS = (
    HotPath("Reads and searches: Patient by id, by identifier, Task by patient and status", _nothing, _reads),
    HotPath("Transactions of twelve resources", _nothing, _transactions),
    HotPath("Hospital messages from the inbox", _messages, lambda _, seconds: time.sleep(seconds)),
)


@dataclass
class Profile:
    """Looks: all, by part, by function itself, and by function with all it calls. `cores` that the hub and
    PostgreSQL kept busy."""

    looks: int
    parts: Counter[str]
    own: Counter[str]
    below: Counter[str]
    cores: dict[str, float] = field(default_factory=dict)


def profile(ground: Ground, path: HotPath, seconds: float) -> Profile:
    with ground.hub(MEMBERS) as running:
        path.prepare(running)
        running.hub.start()
        try:
            before, began = _cpu_seconds(running), time.monotonic()
            lines = _spied(running, path, seconds)
            after, took = _cpu_seconds(running), time.monotonic() - began
        finally:
            running.hub.stop()
    return replace(counted(lines), cores={who: (after[who] - before[who]) / took for who in after})


def _cpu_seconds(running: Running) -> dict[str, float]:
    """What the processes have taken that are there; those of PostgreSQL are those of this machine."""
    of_hub = set(running.hub.pids())
    found = {"hub": 0.0, "PostgreSQL": 0.0}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended
            pid, name, fields = STAT.match(stat.read_text()).groups()  # type: ignore[union-attr]
            who = "hub" if int(pid) in of_hub else "PostgreSQL" if name == "postgres" else ""
            if who:
                found[who] += sum(map(int, fields.split()[11:13])) / TICKS
    return found


def _spied(running: Running, path: HotPath, seconds: float) -> list[str]:
    """py-spy's collapsed stacks, a line each: frames, outermost first, and how often."""
    kept = running.hub.folder / "stacks.txt"
    words = [PY_SPY, "record", "--pid", running.hub.pid, "--subprocesses", "--format", "raw", "--function", "--gil"]
    words += ["--rate", A_SECOND, "--duration", int(seconds), "--nonblocking", "--output", kept]
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as spy:
        path.drive(running, seconds)
        spy.wait(60)
    return kept.read_text().splitlines()


def counted(lines: Sequence[str]) -> Profile:
    found = Profile(0, Counter(), Counter(), Counter())
    for line in lines:
        stack, _, times = line.rpartition(" ")
        frames = [named for frame in stack.split(";") if (named := _named(frame))]
        if not frames:
            continue
        count = int(times)
        found.looks += count
        found.own[frames[-1]] += count
        found.parts[_part(frames[-1])] += count
        for frame in set(frames):
            found.below[frame] += count
    return found


def _named(frame: str) -> str:
    """`function file`, with the file as of the repository or of its library. Empty: no function."""
    match = FRAME.match(frame)
    if match is None:
        return ""
    file = LIBRARY.sub("", match["file"]).removeprefix(f"{ROOT}/")
    return f"{match['function']} {file}"


def _part(named: str) -> str:
    """The package of the hub, two deep (`hub/store`), or the library."""
    folders = named.rpartition(" ")[2].split("/")
    return "/".join(folders[:2] if folders[0] in OURS else folders[:1])


def _section(title: str, database: str, found: Profile) -> Iterator[str]:
    yield f"## {title}, {NAMES[database]}"
    yield ""
    busy = ", ".join(f"{who} {cores:.2f}" for who, cores in found.cores.items() if cores > 0.005)
    yield f"Cores kept busy: {busy}."
    yield ""
    yield "| part | own share |"
    yield "|---|--:|"
    yield from (f"| `{part}` | {_share(count, found)} |" for part, count in found.parts.most_common(PARTS))
    yield ""
    yield "| function | file | own | with all it calls |"
    yield "|---|---|--:|--:|"
    for named, count in found.own.most_common(FUNCTIONS):
        function, _, file = named.rpartition(" ")
        yield f"| `{function}` | `{file}` | {_share(count, found)} | {_share(found.below[named], found)} |"
    yield ""


def _share(count: int, found: Profile) -> str:
    return f"{count / found.looks:.1%}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=(*BOTH, "both"), default="both")
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    about = machine()
    lines = INTRODUCTION.format(
        seconds=options.seconds,
        cores=about["cores"],
        cpu=about["cpu"],
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        rate=A_SECOND,
    ).splitlines()
    lines.append("")
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        for name in BOTH if options.database == "both" else (options.database,):
            with ground(name, Path(folder), Size()) as mine:
                for path in PATHS:
                    lines += _section(path.title, name, profile(mine, path, options.seconds))
    PAGE.write_text("\n".join(lines).rstrip() + "\n")
    print(f"Kept in {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
