"""Where the files of the feeds come from, and go to: each feed's table `folder` or `sftp` as a place to look at.

Rules: docs/files.md. A server that does not answer holds up its own feed only, and is asked less often: each
feed has a thread of its own while it is looked at.
Refuses (CannotStart): tables that say too little or what cannot be; two feeds of one folder without patterns of
names.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from filecmp import cmp
from pathlib import Path
from shutil import copyfile
from typing import Any, Protocol

from adapters.files.complete import refused_name, watch
from adapters.files.drop_folder import Deliver, DropFolder, Ended, Ending
from adapters.files.faults import TAKEN, Fault
from hub.feeds import files
from hub.feeds.records import Feed
from hub.feeds.report import as_csv
from hub.problems import CannotStart
from hub.store.engine import Database

log = logging.getLogger("adapters.files")
FIRST_WAIT, LONGEST_WAIT = 30.0, 900.0
FOLDER, SFTP = "folder", "sftp"
OUT = "out"


class Place(Protocol):
    """Somewhere to look for files."""

    def poll(self) -> int: ...


@dataclass(slots=True)
class _Turn:
    """Whether the place may be looked at. Times are seconds of a clock that never goes back."""

    place: Place
    not_before: float = 0.0
    failures: int = 0
    busy: threading.Lock = field(default_factory=threading.Lock)


class Transports:
    """All places of the feeds. `turn` is for the worker's chores: it comes back at once."""

    def __init__(self, places: Mapping[str, Place], clock: Callable[[], float] = time.monotonic):
        self._turns = {name: _Turn(place) for name, place in places.items()}
        self._clock = clock

    def turn(self, now: int = 0) -> int:
        """Look at each place that is due, in threads; how many."""
        due = [name for name, turn in self._turns.items() if turn.not_before <= self._clock()]
        for name in due:
            threading.Thread(target=self.look, args=(name,), name=f"files {name}", daemon=True).start()
        return len(due)

    def look(self, feed: str) -> int:
        """Look at one place, unless somebody is at it; how many files moved on. What goes wrong is logged, and the
        place is left in peace for a while."""
        turn = self._turns[feed]
        if not turn.busy.acquire(blocking=False):
            return 0
        try:
            moved = turn.place.poll()
            turn.failures = 0
            return moved
        except Exception as error:  # whatever it is, the other feeds go on
            turn.failures += 1
            turn.not_before = self._clock() + min(FIRST_WAIT * 2 ** (turn.failures - 1), LONGEST_WAIT)
            log.error("feed %s: %s; try %s", feed, _told(error), turn.failures)
            return 0
        finally:
            turn.busy.release()


def transports(feeds: Iterable[Feed], deliver: Deliver, ended: Ended, spool: Path) -> Transports:
    """Raises CannotStart."""
    found = {feed.name: place(feed, deliver, ended, spool / feed.name) for feed in feeds if _tables(feed)}
    _check_shared(found.values())
    return Transports(found)


def _check_shared(found: Iterable[Place]) -> None:
    """Two feeds of one folder each have a pattern of names."""
    seen: dict[Path, list[str]] = {}
    for one in found:
        if isinstance(one, DropFolder):
            seen.setdefault(one.root.resolve(), []).append(one.watch.match)
    if any(
        len(set(patterns)) < len(patterns) or (len(patterns) > 1 and "*" in patterns) for patterns in seen.values()
    ):
        raise CannotStart("Two feeds have one folder: give each a `match` of its own")


def place(feed: Feed, deliver: Deliver, ended: Ended, spool: Path) -> Place:
    """Raises CannotStart."""
    try:
        kind, table = _table(feed)
        if kind == FOLDER:
            return DropFolder(Path(_text(table, "path")), feed, deliver, ended, watch(table))
        return _server(feed, table, deliver, ended, spool)
    except (ValueError, TypeError) as error:
        raise CannotStart(f"Feed {feed.name}: {error}") from None


def _server(feed: Feed, table: Mapping[str, Any], deliver: Deliver, ended: Ended, spool: Path) -> Place:
    """SSH takes a second to be loaded: who has no server does not wait for it."""
    from adapters.files import ssh
    from adapters.files.sftp import Places, SftpFeed

    places = Places(**_places(table))
    return SftpFeed(ssh.server(table), places, feed, deliver, ended, spool, watch(table))


def send(path: Path, feed: Feed, name: str = "", replaces: bool = False) -> None:
    """Put a file where the feed's partner takes it from: the folder's `out`, or that of the server. Raises
    Fault, also where another file of this name is there and not to be replaced, OSError; ValueError where the feed
    has no such place, or the name is not plain."""
    name = name or path.name
    if refused_name(name):
        raise ValueError("NAME_UNSAFE")
    kind, table = _table(feed)
    if kind == FOLDER:
        _put(path, Path(_text(table, "path")) / OUT, name, replaces)
    else:
        from adapters.files import sftp_push, ssh

        sftp_push.send(path, name, ssh.server(table), _text(table, OUT), replaces)


def answer(path: Path, feed: Feed, name: str) -> None:
    """`send` an answer to a file of the feed: what was answered before under this name is replaced."""
    send(path, feed, name, replaces=True)


def has_out(feed: Feed) -> bool:
    """Whether there is a place for what is sent to the feed's partner."""
    kinds = _tables(feed)
    return kinds == [FOLDER] or (kinds == [SFTP] and bool(_table(feed)[1].get(OUT)))


def ended_by(database: Database) -> Ended:
    """How files ended, as the hub's own tables say."""

    def ended(feed: Feed, name: str) -> Ending | None:
        with database.read() as connection:
            file = files.named(connection, feed.name, name)
            if file is None or file.state not in (files.DONE, files.REFUSED):
                return None
            rejects = list(files.rejects(connection, file.seq))
        return Ending(file.state == files.REFUSED, as_csv(file, rejects) if rejects else ())

    return ended


def _put(path: Path, folder: Path, name: str, replaces: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not replaces and (folder / name).exists() and not cmp(path, folder / name, shallow=False):
        raise Fault(TAKEN)
    draft = folder / f"{name}.part"
    copyfile(path, draft)
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    os.replace(draft, folder / name)


def _tables(feed: Feed) -> list[str]:
    return [kind for kind in (FOLDER, SFTP) if kind in feed.options]


def _table(feed: Feed) -> tuple[str, Mapping[str, Any]]:
    """Raises ValueError."""
    kinds = _tables(feed)
    if len(kinds) != 1:
        raise ValueError("a feed has a folder, or sftp")
    table = feed.options[kinds[0]]
    if isinstance(table, str) and kinds[0] == FOLDER:
        table = {"path": table}
    if not isinstance(table, Mapping):
        raise ValueError(f"{kinds[0]} is a table")
    return kinds[0], table


def _places(table: Mapping[str, Any]) -> dict[str, str]:
    given = {name: table.get(key, "") for name, key in _PLACES.items()}
    if not all(isinstance(place, str) for place in given.values()) or not (given["incoming"] or given["out"]):
        raise ValueError("sftp has a folder in or out; archive and reports are folders, too")
    return {name: place.rstrip("/") for name, place in given.items()}


_PLACES = {"incoming": "in", "archive": "archive", "reports": "reports", "out": OUT}


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is missing")
    return value


def _told(error: Exception) -> str:
    """Without anything that the error may quote."""
    return str(error) if isinstance(error, Fault) else type(error).__name__
