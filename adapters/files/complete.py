"""When a file that somebody is sending may be begun.

Rules: docs/files.md "When a file is complete"; bad-input.md C02, C03, C14. It is complete when its marker stands
beside it (`NAME.done`, `NAME.ok`, where the feed has markers), else when its size and time stayed as they are for a
while. A checksum beside it (`NAME.sha256`, as sha256sum writes it) must be that of its bytes.
Refuses: nothing that is still written (`.tmp`, `.part` and the like are not looked at); names that are not plain.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from hub.feeds.arriving import safe_name
from hub.feeds.records import Reject

TEMPORARY = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
MARKERS = (".done", ".ok")
CHECKSUM = ".sha256"
COMPANIONS = (*MARKERS, CHECKSUM)
REPORT = ".report.csv"
_DIGEST = re.compile(r"\s*\\?([0-9a-fA-F]{64})(?:\s|\Z)")
_LONGEST_CHECKSUM = 4096


class Stamp(NamedTuple):
    """What changes while a file is written. `changed` in whatever unit its place counts."""

    size: int
    changed: int


@dataclass(slots=True)
class Quiet:
    """Remembers how long each file has been as it is. Times are seconds of a clock that never goes back."""

    seconds: float
    _seen: dict[str, tuple[Stamp, float]] = field(default_factory=dict)

    def settled(self, name: str, stamp: Stamp, now: float) -> bool:
        before = self._seen.get(name)
        if before is None or before[0] != stamp:
            self._seen[name] = (stamp, now)
            return self.seconds <= 0
        return now - before[1] >= self.seconds

    def forget_all_but(self, names: Collection[str]) -> None:
        for name in self._seen.keys() - set(names):
            del self._seen[name]


@dataclass(frozen=True, slots=True)
class Watch:
    """What a feed says of the files of a place. `quiet` in seconds; `match` is a pattern of names (others belong to
    somebody else); with `markers` a file is begun only when its marker is there, with `checksum` only when its
    checksum is."""

    quiet: float = 10.0
    match: str = "*"
    markers: bool = False
    checksum: bool = False

    def names(self, found: Iterable[str]) -> list[str]:
        return sorted(name for name in found if is_for_reading(name) and fnmatchcase(name, self.match))

    def is_complete(self, name: str, stamp: Stamp, quiet: Quiet, now: float, beside: Callable[[str], bool]) -> bool:
        """`beside` tells whether there is a file of this name next to it."""
        settled = quiet.settled(name, stamp, now)
        if self.checksum and not beside(name + CHECKSUM):
            return False
        return any(beside(name + marker) for marker in MARKERS) if self.markers else settled


def watch(table: Mapping[str, Any]) -> Watch:
    """From a feed's table `folder` or `sftp`. Raises ValueError."""
    flags = [table.get(name, False) for name in ("markers", "checksum")]
    pattern, seconds = table.get("match", "*"), table.get("quiet_seconds", 10)
    if not all(isinstance(flag, bool) for flag in flags) or not isinstance(pattern, str):
        raise ValueError("markers and checksum are true or false, match is a pattern")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise ValueError("quiet_seconds is a number")
    return Watch(float(seconds), pattern, *flags)


def is_for_reading(name: str) -> bool:
    """Not a file that is still written, hidden, or says something about another."""
    lower = name.lower()
    return not (lower.startswith((".", "~$")) or lower.endswith((*TEMPORARY, *COMPANIONS)))


def refused_name(name: str) -> Reject | None:
    """For hub.feeds.arriving, which would refuse it, too."""
    try:
        safe_name(name)
    except ValueError:
        return _unsafe()
    return None


def _unsafe() -> Reject:
    what = "The name may have letters and digits of ASCII, blanks and . , ( ) & # @ = + - _, at most 200."
    return Reject("NAME_UNSAFE", what=what, whole=True)


def refused_checksum(path: Path, said: bytes) -> Reject | None:
    """Is the file the one that the checksum is of? `said` is the content of the file beside it."""
    found = _DIGEST.match(said[:_LONGEST_CHECKSUM].decode("latin-1"))
    if found is None:
        return Reject("CHECKSUM", what="The checksum file holds no SHA-256 in hexadecimal.", whole=True)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != found[1].lower():
        return Reject(
            "CHECKSUM", what="The file's bytes are not those of its checksum. Send both again.", whole=True
        )
    return None
