"""HMIS: an export of N clients, and how fast its rows are read and validated, in how much memory.

    python -m tests.bench.files_hmis [rows of all files together, 1000000]

Prints rows a second, MB at most, and the same for the mapping of a sample. Names are invented.
"""

import csv
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from random import Random

from adapters.hmis.columns import FILES, Column, columns
from adapters.hmis.read_export import read
from fhir_mappings.hmis import subjects
from hub.feeds.records import Feed, Reject, Row
from tests.adapters.hmis.exports import DEFAULTS, kept

FEED = Feed("bench-hmis", "hmis", "https://hmis.example/bench")
ROWS = 1_000_000
PER_CLIENT = 10.5  # rows, of all files
FAMILIES = ("Testperson", "Sampleton", "Examplar", "Placeholder", "Fixture", "Demoson", "Mockford", "Stubbs")
GIVEN = ("Robin", "Alex", "Sam", "Jo", "Kim", "Lee", "Pat", "Max", "Chris", "Dana")
HOMES = ("116", "101", "118", "302", "336", "206", "410", "435")
EXITS = ("116", "101", "302", "410", "435", "99")
Cells = dict[str, str]


def write_export(folder: Path, rows: int, seed: int = 7) -> Path:
    """24 files with about so many rows. The more clients, the more enrolments, bed nights and disabilities."""
    folder.mkdir()
    writers = {}
    opened = [(file, (folder / f"{file}.csv").open("w", encoding="utf-8", newline="")) for file in FILES]
    for file, out in opened:
        writers[file] = csv.writer(out, lineterminator="\r\n")
        writers[file].writerow([column.name for column in columns(file, "2026")])
    plans = {file: columns(file, "2026") for file in FILES}
    for file, cells in _rows(rows, seed):
        writers[file].writerow([_cell(column, cells) for column in plans[file]])
    for _, out in opened:
        out.close()
    return folder


def _cell(column: Column, cells: Cells) -> str:
    return cells.get(column.name) or ("" if not column.required else DEFAULTS.get(column.name, "0"))


def _rows(rows: int, seed: int) -> Iterator[tuple[str, Cells]]:
    random = Random(seed)
    yield "Export", {"CSVVersion": "2026 v1.0"}
    yield "Organization", {"OrganizationID": "org-1"}
    for number in range(20):
        yield "Project", {"ProjectID": f"p-{number}", "ProjectType": str((0, 1, 4, 13)[number % 4])}
    for number in range(int(rows / PER_CLIENT)):
        yield from _client(f"c-{number}", random)


def _client(person: str, random: Random) -> Iterator[tuple[str, Cells]]:
    entry = date(2025, 1, 1) + timedelta(days=random.randrange(400))
    whose = {"PersonalID": person, "EnrollmentID": f"e-{person}"}
    name = f"{random.choice(FAMILIES)}-{random.randrange(10_000)}"
    born = date(1940, 1, 1) + timedelta(days=random.randrange(24_000))
    yield "Client", {"PersonalID": person, "FirstName": random.choice(GIVEN), "LastName": name,
                     "DOB": born.isoformat(), "VeteranStatus": "0", "White": "1", "Sex": "1"}  # fmt: skip
    yield "Enrollment", {**whose, "ProjectID": f"p-{random.randrange(20)}", "EntryDate": entry.isoformat(),
                         "HouseholdID": f"h-{person}", "LivingSituation": random.choice(HOMES),
                         "DisablingCondition": "1", "RelationshipToHoH": "1"}  # fmt: skip
    for kind in ("5", "6", "7", "8", "9", "10"):
        yield "Disabilities", {**whose, "DisabilitiesID": f"d-{person}-{kind}", "DisabilityType": kind,
                               "DisabilityResponse": "0", "InformationDate": entry.isoformat()}  # fmt: skip
    yield "IncomeBenefits", {**whose, "IncomeBenefitsID": f"i-{person}", "Medicaid": "1"}
    yield "CurrentLivingSituation", {**whose, "CurrentLivingSitID": f"l-{person}",
                                     "CurrentLivingSituation": random.choice(HOMES)}  # fmt: skip
    if random.random() < 0.5:
        left = (entry + timedelta(days=60)).isoformat()
        yield "Exit", {**whose, "ExitID": f"x-{person}", "ExitDate": left, "Destination": random.choice(EXITS)}


def _resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(rows: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = write_export(Path(place) / "export", rows)
        before, began = _resident(), time.perf_counter()
        found = [0, 0]
        for given in read(folder, FEED):
            found[isinstance(given, Reject)] += 1
        seconds = time.perf_counter() - began
        told = f"{found[0]} rows and {found[1]} rejects in {seconds:.1f} s: {found[0] / seconds:,.0f} rows/s"
        print(f"read and validated: {told}; {_resident():.0f} MB at most ({before:.0f} before)")
    with tempfile.TemporaryDirectory() as place:
        folder = write_export(Path(place) / "export", 2000)
        sample = kept([one for one in islice(read(folder, FEED), 5000) if isinstance(one, Row)], FEED)
        began = time.perf_counter()
        made = sum(len(subjects.resources(one, "Patient/p")) for one in sample.values())
        seconds = time.perf_counter() - began
        print(f"mapped: {made} resources of {len(sample)} subjects: {made / seconds:,.0f} resources/s")


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
