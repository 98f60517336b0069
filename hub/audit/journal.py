"""Records of one process on disk, durable before the answer they tell of leaves; stored in batches later on.

A record is its length, its CRC-32 (both four bytes, big endian) and its bytes. `append` returns when they are on
the disk: the file is open with O_DSYNC, so each write is its own fdatasync (one call to the system, not two: each
gives Python's lock away and waits to have it back). Threads that come while one writes wait for it and share the
next write: one sync for all of them. The file is written over zeros that were put there before: a sync then has no
metadata to write, which halves what it costs. The file is locked (flock) as long as its process lives, so that
anybody can tell what a dead one left behind; it gets its name only once it is locked. hub.audit.store moves records
on and removes what is dead and moved.
Refuses: to return without having written. What cannot be recorded is not answered: Problem `no-space` (507) where
the disk is full, else `busy` (503). A record that breaks off at the end of a dead file was never answered and is
left out. Anything else that is not as it was written is damage: it is told, and the file is kept."""

import errno
import fcntl
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import BinaryIO
from zlib import crc32

from hub.problems import Problem

log = logging.getLogger("hub.audit")
SUFFIX = ".journal"
DAMAGED = ".damaged"
MOST_BYTES = 16 << 20  # then a new file is begun
ROOM = 1 << 20  # zeros are put there in steps of so many bytes
LONGEST = 32 << 20  # of a record: a Group may list many
BUFFER = 1 << 17
OPENED = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_DSYNC  # what is written is on the disk when `write` returns
FULL = (errno.ENOSPC, errno.EDQUOT)
_head = Struct(">II")


def framed(record: bytes) -> bytes:
    """Raises Problem where it is larger than what is read again."""
    if len(record) > LONGEST:
        raise Problem("busy", "What is to be recorded of the access is too large")
    return _head.pack(len(record), crc32(record)) + record


def _held() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True)
class _Part:
    """What one thread wants written. `turn` is let go when it is, or when the thread is the next to write."""

    data: bytes
    turn: threading.Lock = field(default_factory=_held)
    done: bool = False
    failure: OSError | None = None


class Journal:
    """The journal of this process, in a folder that only the hub reads."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES):
        self.folder = folder
        self._most = most_bytes
        self._step = min(ROOM, most_bytes)
        self._lock = threading.Lock()
        self._waiting: list[_Part] = []
        self._busy = False
        self._file = -1
        self._size = 0
        self._room = 0
        self._of = 0

    def append(self, *records: bytes) -> None:
        """Returns when all of them are durable. Raises Problem: then nothing may be answered."""
        mine = _Part(b"".join(map(framed, records)))
        with self._lock:
            self._waiting.append(mine)
            leads, self._busy = not self._busy, True
        if not leads:
            mine.turn.acquire()
        if not mine.done:
            self._lead()
        if mine.failure is not None:
            raise _refusal(mine.failure) from mine.failure

    def _lead(self) -> None:
        """Write for all who wait now, and leave the turn to the first of those who came meanwhile."""
        with self._lock:
            group, self._waiting = self._waiting, []
        failure: OSError | None = OSError(errno.EINTR, "interrupted")
        try:
            failure = self._tried(group)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            for part in group:
                part.done, part.failure = True, failure
                part.turn.release()
            if following is not None:
                following.turn.release()

    def _tried(self, group: Sequence[_Part]) -> OSError | None:
        try:
            self._write(b"".join([part.data for part in group]))
        except OSError as error:
            log.error("The audit journal cannot be written: %s", error.strerror)
            return error
        return None

    def _write(self, data: bytes) -> None:
        if self._of != os.getpid() or self._size >= self._most:
            self._begin()
        end = self._size + len(data)
        if end > self._room:
            self._make_room(end)
        try:
            _put(self._file, data, self._size)
        except OSError:
            self._give_up()
            raise
        self._size = end

    def _make_room(self, end: int) -> None:
        """Zeros, on the disk: what is written over them later needs no more room, and changes nothing but data."""
        room = -(-end // self._step) * self._step
        _put(self._file, bytes(room - self._room), self._room)
        self._room = room

    def _begin(self) -> None:
        """A new file. A child of this process begins its own: the lock of the parent's is not its."""
        self.close()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{os.urandom(12).hex()}{SUFFIX}"
        draft = path.with_suffix(".new")
        made = os.open(draft, OPENED, 0o600)
        try:
            fcntl.flock(made, fcntl.LOCK_EX)
            draft.rename(path)
            sync_folder(self.folder)
        except OSError:
            os.close(made)
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
        self._file, self._size, self._room, self._of = made, 0, 0, os.getpid()

    def _give_up(self) -> None:
        """After a failed write nobody knows what is on the disk: the file ends where it was good, and is left to
        the mover."""
        self.close()

    def close(self) -> None:
        """Give the file up, without what is left of its room; whoever moves records takes it over."""
        if self._of == os.getpid():
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            os.close(self._file)
        self._of = 0


def _put(descriptor: int, data: bytes, position: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, position)
        left, position = left[written:], position + written


def _refusal(failure: OSError) -> Problem:
    if failure.errno in FULL:
        return Problem("no-space", "The hub's disk is full: the access cannot be recorded")
    return Problem("busy", "The access cannot be recorded now")


def sync_folder(folder: Path) -> None:
    """Make what was made, renamed or removed in a folder durable."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@dataclass(frozen=True, slots=True)
class Read:
    """What stands in a file behind a position: whole records, and where the last one ends. `dead`: nobody will add
    to it; `rest` are bytes behind the end, `damaged` if they are no record that broke off."""

    records: list[bytes]
    end: int
    dead: bool
    rest: int = 0
    damaged: bool = False


def read(path: Path, position: int, most: int) -> Read:
    """Up to `most` records. Raises FileNotFoundError where somebody else was done with it."""
    with path.open("rb", buffering=BUFFER) as file:
        dead = _is_dead(file.fileno())  # before it is read: then nothing is added behind what is read
        size = os.fstat(file.fileno()).st_size
        records, end, whole = _records(file, position, size, most)
        rest = 0 if whole else max(0, size - end)
        return Read(records, end, dead, rest, bool(rest) and dead and not _broke_off(file.fileno(), end, size))


def _is_dead(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _records(file: BinaryIO, position: int, size: int, most: int) -> tuple[list[bytes], int, bool]:
    """Records, the end of the last one, and whether nothing that is no record stopped it."""
    found: list[bytes] = []
    end = position
    for record in _walk(file, position, size):
        if record is None:
            return found, end, False
        found.append(record)
        end += _head.size + len(record)
        if len(found) == most:
            break
    return found, end, True


def _walk(file: BinaryIO, position: int, size: int) -> Iterator[bytes | None]:
    """Record after record; None where there is none although there are bytes."""
    file.seek(position)
    while position < size:
        head = file.read(_head.size)
        length, check = _head.unpack(head) if len(head) == _head.size else (0, 0)
        record = file.read(length) if 0 < length <= LONGEST else b""
        if not record or len(record) < length or crc32(record) != check:
            yield None
            return
        yield record
        position += _head.size + length


def _broke_off(descriptor: int, end: int, size: int) -> bool:
    """Whether the bytes behind the last record may be the beginning of one, and nothing but zeros behind it: a
    write that was cut off, or pages that never reached the disk."""
    head = os.pread(descriptor, _head.size, end)
    length = _head.unpack(head.ljust(_head.size, b"\0"))[0]
    if length > LONGEST:
        return False
    behind = end + (_head.size + length if length else 0)
    return not any(_others(descriptor, behind, size))


def _others(descriptor: int, position: int, size: int) -> Iterator[bytes]:
    """What is not zero behind a position."""
    while position < size and (part := os.pread(descriptor, BUFFER, position)):
        yield part.strip(b"\0")
        position += len(part)
