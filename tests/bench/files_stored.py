"""An 834 from its bytes to FHIR, and once more:
`python -m tests.bench.files_stored [MEMBERS] [--validate] [--postgresql | --sqlite]`.

On SQLite and on PostgreSQL with fsync, or on one of them, with the hub's own validation, identity, labels, audit
and outbox. Prints rows and resources a second, the same file again (nothing changed), and the most memory of the
process.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.adapters.plan.made_834 import body, coverage, member
from tests.adapters.x12.made import file_834, text
from tests.bench.county_people import Human, county
from tests.postgresql import Cluster

MEMBERS = 5000
DATABASES = frozenset(("SQLite", "PostgreSQL"))


def made(path: Path, members: int) -> Path:
    """An 834 of invented people with a month of coverage each."""
    people = [one for one in county().humans(members * 3 // 2) if not one.is_baby][:members]
    path.write_bytes(text(file_834(body([_member(one) for one in people]))))
    return path


def _member(one: Human) -> list[str]:
    line, code = one.home
    return member(
        one.number,
        last=" ".join(one.family).upper(),
        coverages=[coverage()],
        NM1=f"NM1*IL*1*{' '.join(one.family).upper()}*{one.given.upper()}*{one.middle[:1].upper()}",
        N3=f"N3*{line.upper()}",
        N4=f"N4*BAKERSFIELD CA*CA*{code}**CY*15",
        DMG=f"DMG*D8*{one.born:%Y%m%d}*{'F' if one.sex == 'female' else 'M'}**:RET:2054-5",
        PER=f"PER*IP**TE*{one.phone}" if one.phone.isdigit() else "",
    )


def load(path: Path, url: str, folder: Path, validate: str) -> Iterator[str]:
    """In this process. Lines of figures."""
    os.environ |= {"HUB_DATABASE_URL": url, "HUB_DATA_DIR": str(folder)}
    from hub.feeds.records import Feed
    from hub.front import parts
    from hub.processes import keep_loaded
    from hub.store.migrate import migrate

    migrate(parts.database())
    cin = parts.settings()["HUB_CIN_SYSTEM"]
    options = {"cin_system": cin, "validate": validate}
    loading = parts.loading().with_feed(Feed("bench", "plan-834", "https://plan.example/feed", options=options))
    _, seq = loading.arriving(path, path.name, loading.feeds["bench"])
    keep_loaded()  # as `hub load` and the worker do
    for what in ("new", "again"):
        marks: dict[str, list[float]] = {}

        def step(phase: str, counts: Any, marks: dict[str, list[float]] = marks) -> None:
            marks.setdefault(phase, [time.perf_counter(), 0.0])[1] = time.perf_counter()

        began, cpu = time.perf_counter(), time.process_time()
        file = loading.run(seq, step)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        loading.again(seq)
        writing = marks.get("writing", [0.0, 0.0])
        stored, seconds = file.counts["resources"], writing[1] - writing[0]
        yield (
            f"{what:6} {file.counts['read']:>8,} rows {took:7.1f} s ({file.counts['read'] / took:,.0f}/s), "
            f"{stored:,} resources in {seconds:.1f} s ({stored / seconds if stored else 0:,.0f}/s), "
            f"CPU {cpu:.1f} s, waiting {file.counts['waiting']}, rejected {file.counts['rejected']}"
        )
    yield f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB resident"


def main(members: int, validate: str, databases: frozenset[str]) -> None:
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        path = made(folder / "members.834", members)
        print(f"{members:,} members, {path.stat().st_size / 1e6:,.1f} MB, validation: {validate}")
        with Cluster(None, ()) as cluster:
            urls = {"SQLite": f"sqlite:///{folder / 'hub.db'}", "PostgreSQL": cluster.create_database("files")}
            for name, url in urls.items():
                if name not in databases:
                    continue
                busy = " ".join(f"{one:.1f}" for one in os.getloadavg())
                print(f"{name} (load of the machine before: {busy})", flush=True)
                (folder / name).mkdir()
                arguments = [str(path), url, str(folder / name), validate]
                command = [sys.executable, "-m", "tests.bench.files_stored", "--one", *arguments]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        for line in load(Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), sys.argv[5]):
            print("  " + line, flush=True)
    else:
        wanted = [one for one in sys.argv[1:] if one.isdigit()]
        named = frozenset(one for one in DATABASES if f"--{one.lower()}" in sys.argv) or DATABASES
        main(int(wanted[0]) if wanted else MEMBERS, "full" if "--validate" in sys.argv else "envelope", named)
