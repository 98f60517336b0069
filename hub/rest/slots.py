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
from collections.abc import Callable
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

    def change(self, name: str, decide: Callable[[int], int]) -> None:
        """Put what `decide` makes of the name's number (0: none yet) in its place."""
        mark = int.from_bytes(blake2b(name.encode(), digest_size=8, key=self._key).digest(), "little") or 1
        start = mark % SETS * _SET.size
        with self._lock:
            if self._file is None:
                self._changed(mark, start, decide)
                return
            fcntl.lockf(self._file, fcntl.LOCK_EX, _SET.size, start)
            try:
                self._changed(mark, start, decide)
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
