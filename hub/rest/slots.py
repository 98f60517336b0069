"""Small numbers by name that all processes of a node share: a file in memory, no database.

A name's place is one of eight in a set that its keyed hash chooses, so nobody can aim at somebody else's. The
set is locked while a number changes (a record lock of the system, which a killed process gives back), so
nothing is counted twice or not at all. Where a set is full the smallest number makes room: callers make what is
over the smallest.
Refuses: nothing. Where the file cannot be had in full, each process counts for itself, and the log says so.
"""

import fcntl
import logging
import mmap
import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

WAYS = 8
SETS = 2048
_SET = struct.Struct("<" + "Qq" * WAYS)  # fingerprint and number, eight times
_SLOT = struct.Struct("<Qq")
SIZE = SETS * _SET.size

log = logging.getLogger("hub.limits")


class Slots:
    """`path` is shared by the processes of a node; without one the numbers are this process' own."""

    def __init__(self, path: Path | None, key: bytes):
        self._key = key[:64]
        self._lock = threading.Lock()
        self._file = _reserved(path) if path else None
        self._memory = mmap.mmap(-1 if self._file is None else self._file, SIZE)

    def change(self, name: str, decide: Callable[[int], int]) -> int:
        """Put what `decide` makes of the name's number (0: none yet) in its place; the mark that stands for the
        name, the same with every node that has the key."""
        mark = int.from_bytes(blake2b(name.encode(), digest_size=8, key=self._key).digest(), "little") or 1
        self.change_at(mark, decide)
        return mark

    def change_at(self, mark: int, decide: Callable[[int], int]) -> None:
        """The same for who knows the mark."""
        start = mark % SETS * _SET.size
        with self._locked(start):
            self._changed(mark, start, decide)

    def taken_out(self) -> dict[int, int]:
        """Every number that is not 0, by its mark; each is 0 now."""
        found: dict[int, int] = {}
        for start in range(0, SIZE, _SET.size):
            if not any(_SET.unpack_from(self._memory, start)[1::2]):
                continue
            with self._locked(start):
                held = _SET.unpack_from(self._memory, start)
                pairs = list(zip(held[::2], held[1::2], strict=True))
                found |= {mark: number for mark, number in pairs if number}
                for way, (mark, _) in enumerate(pairs):
                    _SLOT.pack_into(self._memory, start + way * _SLOT.size, mark, 0)
        return found

    @contextmanager
    def _locked(self, start: int) -> Iterator[None]:
        with self._lock:
            if self._file is None:
                yield
                return
            fcntl.lockf(self._file, fcntl.LOCK_EX, _SET.size, start)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, _SET.size, start)

    def _changed(self, mark: int, start: int, decide: Callable[[int], int]) -> None:
        held = _SET.unpack_from(self._memory, start)
        marks, numbers = held[::2], held[1::2]
        if mark in marks:
            way = marks.index(mark)
            before = numbers[way]
        else:
            way, before = numbers.index(min(numbers)), 0
        after = decide(before)
        if after != before:
            _SLOT.pack_into(self._memory, start + way * _SLOT.size, mark, after)


def _reserved(path: Path) -> int | None:
    """The file, with all its room: a page that cannot be had when it is written would end the process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        found = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        log.warning("limits are counted by each process for itself: %s", error.strerror)
        return None
    try:
        os.posix_fallocate(found, 0, SIZE)
    except OSError as error:
        os.close(found)
        log.warning("limits are counted by each process for itself: %s", error.strerror)
        return None
    return found
