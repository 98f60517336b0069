"""A drop folder: in/ -> processing/ -> archive/ or rejected/, with the reject report beside the file.

Rules: docs/files.md "Folder". Each step is one rename, so a file is in one place whenever the power fails; what was
begun is taken up again from where it lies. One process looks after a folder at a time (a lock on the folder).
Refuses: names that are not plain, links and devices, checksums that do not fit: they go to rejected/ and are never
opened by a name that somebody chose. Folders in it are not looked at.
"""

import fcntl
import logging
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from adapters.files.complete import (
    CHECKSUM,
    COMPANIONS,
    REPORT,
    Quiet,
    Stamp,
    Watch,
    refused_checksum,
    refused_name,
)
from hub.feeds.files import File
from hub.feeds.records import Feed, Reject
from hub.feeds.report import as_csv
from hub.problems import Problem

log = logging.getLogger("adapters.files")
Deliver = Callable[[Path, str, Feed], tuple[str, int]]  # hub.feeds.arriving.Arriving
IN, PROCESSING, ARCHIVE, REJECTED = "in", "processing", "archive", "rejected"
PLACES = (IN, PROCESSING, ARCHIVE, REJECTED)
CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a file ended. `report` are the lines of its reject report, empty where there is nothing to tell."""

    refused: bool
    report: Iterable[str] = ()


Ended = Callable[[Feed, str], Ending | None]  # None: the hub is not done with the file of this name


@dataclass(slots=True)
class DropFolder:
    """One feed's folder. `clock` counts seconds and never goes back."""

    root: Path
    feed: Feed
    deliver: Deliver
    ended: Ended
    watch: Watch = field(default_factory=Watch)
    clock: Callable[[], float] = time.monotonic
    _quiet: Quiet = field(init=False)
    _delivered: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._quiet = Quiet(self.watch.quiet)

    def poll(self) -> int:
        """Look once; how many files moved on. Raises OSError."""
        for place in PLACES:
            (self.root / place).mkdir(parents=True, exist_ok=True)
        with locked(self.root) as mine:
            return self._each(PROCESSING, self._process) + self._each(IN, self._begin) if mine else 0

    def _each(self, place: str, step: Callable[[str], bool]) -> int:
        """A file that cannot be moved or handed over now does not keep the others."""
        names = self._names(place)
        if place == IN:
            self._quiet.forget_all_but(names)
        return sum(self._tried(step, name) for name in names)

    def _tried(self, step: Callable[[str], bool], name: str) -> bool:
        try:
            return step(name)
        except (OSError, Problem) as error:
            log.error("feed %s: a file waits: %s", self.feed.name, type(error).__name__)
            return False

    def _names(self, place: str) -> list[str]:
        with os.scandir(self.root / place) as entries:
            found = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
        return self.watch.names(found)

    def _begin(self, name: str) -> bool:
        """Claim the file, where it is complete."""
        path = self.root / IN / name
        if (state := _state(path)) is None or not self._is_complete(name, _stamp(state)):
            return False
        refusal = refused_name(name) or _not_a_file(state)
        if refusal:
            self._reject(path, f"refused-{sha256(os.fsencode(name)).hexdigest()[:16]}", refusal)
            return True
        claimed = self.root / PROCESSING / name
        if claimed.exists():
            return False  # one of this name is being read
        for suffix in COMPANIONS:
            _move(path.with_name(name + suffix), claimed.with_name(name + suffix))
        os.rename(path, claimed)
        if _stamp(claimed.lstat()) != _stamp(state):
            os.rename(claimed, path)  # somebody wrote in this very moment
            return False
        return self._process(name)

    def _is_complete(self, name: str, stamp: Stamp) -> bool:
        return self.watch.is_complete(name, stamp, self._quiet, self.clock(), self._is_beside)

    def _is_beside(self, name: str) -> bool:
        return any((self.root / place / name).exists() for place in (IN, PROCESSING))

    def _process(self, name: str) -> bool:
        """Hand a claimed file over, once; or put it where it ends."""
        path = self.root / PROCESSING / name
        if name not in self._delivered:
            refusal = self._refusal(path)
            receipt = CONFLICT if refusal else self.deliver(path, name, self.feed)[0]
            if receipt == CONFLICT:
                self._reject(path, name, refusal or reused())
                return True
            self._delivered.add(name)
        if (ending := self.ended(self.feed, name)) is None:
            return False
        self._end(path, REJECTED if ending.refused else ARCHIVE, name, ending.report)
        self._delivered.discard(name)
        return True

    def _refusal(self, path: Path) -> Reject | None:
        beside = path.with_name(path.name + CHECKSUM)
        return refused_checksum(path, beside.read_bytes()) if beside.exists() else None

    def _reject(self, path: Path, name: str, refusal: Reject) -> None:
        log.warning("feed %s: a file was rejected: %s", self.feed.name, refusal.code)
        told = File(0, self.feed.name, name, "", "refused")
        self._end(path, REJECTED, name, as_csv(told, [refusal]))

    def _end(self, path: Path, place: str, name: str, report: Iterable[str]) -> None:
        """The report first, then the file: where the power fails between, both are written again."""
        target = _free(self.root / place, name)
        _write(target.with_name(target.name + REPORT), report)
        for suffix in COMPANIONS:
            _move(path.with_name(path.name + suffix), target.with_name(target.name + suffix))
        os.rename(path, target)


def _state(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None  # taken back


def _stamp(state: os.stat_result) -> Stamp:
    return Stamp(state.st_size, state.st_mtime_ns)


def _not_a_file(state: os.stat_result) -> Reject | None:
    if stat.S_ISREG(state.st_mode):
        return None
    return Reject("UNSUPPORTED", what="It is no file, but a link or a device.", whole=True)


def reused() -> Reject:
    what = "A file of this name came before, with other content. Send it by a new name."
    return Reject("NAME_REUSED", what=what, whole=True)


def _free(folder: Path, name: str) -> Path:
    """The path of this name, or numbered where one is there."""
    target, number = folder / name, 1
    while os.path.lexists(target):
        number += 1
        target = folder / f"{name}.{number}"
    return target


def _write(path: Path, lines: Iterable[str]) -> None:
    text = "".join(lines)
    if not text:
        return
    draft = path.with_name(f".{path.name}")
    draft.write_text(text, encoding="utf-8", newline="")
    os.replace(draft, path)


def _move(path: Path, target: Path) -> None:
    try:
        os.rename(path, target)
    except FileNotFoundError:
        return


@contextmanager
def locked(root: Path) -> Iterator[bool]:
    """Whether nobody else looks after the folder."""
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
