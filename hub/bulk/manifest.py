"""What a finished job tells: an export its files, and where they are, an import what became of its lines. Pure.

Rules: https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---complete-status; 42 CFR 2.32 (the notice travels
with records of substance use: as a file of its own among `error`, for NDJSON has no other place)
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hub import clock
from hub.bulk.counting import Told
from hub.bulk.files import DELETED, ERROR, OUTPUT, File
from hub.bulk.jobs import Job
from hub.bulk.wanted import Wanted
from hub.fhir import json
from hub.problems import Issue, outcome
from hub.rights.part2 import NOTICE

NOTES = 0  # the number of the file of notes, which is written when it is asked for
OUTCOME = "OperationOutcome"


def manifest(wanted: Wanted, listed: Sequence[Told], place: str) -> dict[str, Any]:
    """`place` is the job's URL, `listed` are the files as they are now."""
    told: dict[str, Any] = {
        "transactionTime": clock.instant(wanted.time),
        "request": wanted.request,
        "requiresAccessToken": True,
        "output": [_told(file, place) for file in listed if file.kind == OUTPUT],
    }
    if wanted.since is not None:
        told["deleted"] = [_told(file, place) for file in listed if file.kind == DELETED]
    about = list(notes(wanted, listed))
    return told | {"error": [_file(OUTCOME, place, NOTES, len(about))] if about else []}


def report(job: Job, listed: Sequence[File], place: str) -> dict[str, Any]:
    """What became of an import: how many lines of each type, and the report of those that were refused."""
    counts: Mapping[str, Mapping[str, int]] = job.position.get("counts", {})
    return {
        "transactionTime": clock.instant(job.created),
        "request": job.asked["request"],
        "requiresAccessToken": True,
        "output": [
            {"type": kind, "count": sum(of.values()), "extension": dict(of)}
            for kind, of in sorted(counts.items())
            if kind != OUTCOME
        ],
        "error": [_told(file, place) for file in listed if file.kind == ERROR],
    }


def _told(file: File | Told, place: str) -> dict[str, Any]:
    return _file(file.type, place, file.number, file.counted)


def _file(of: str, place: str, number: int, count: int) -> dict[str, Any]:
    return {"type": of, "url": f"{place}/{number}.ndjson", "count": count}


def notes(wanted: Wanted, listed: Iterable[Told]) -> list[dict[str, Any]]:
    """OperationOutcomes: what was left out of what was asked, and the notice."""
    found = [
        outcome([Issue("not-supported", f"'{name}' was left out", name, "warning")]) for name in wanted.ignored
    ]
    if any(file.has_sud for file in listed):
        found.append(outcome([Issue("informational", NOTICE, severity="information")]))
    return found


def lines(found: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.write(each) + b"\n" for each in found)
