"""The files of a ZIP or of a folder, after a look at all of them: nothing is unpacked to disk.

Rules: APPNOTE.TXT of PKWARE (sections 4.3 to 4.5); CWE-409 (bombs), CWE-22 (paths that lead outside), CWE-61
(links). Members are known by their base name, whatever folder they lie in and however it is written.
Refuses, as a whole, before the first member is read: too many members, too many bytes, too high a ratio; names
that lead outside; links and devices; archives within archives; two members of one name; passwords; damaged
archives.
"""

import stat
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, BadZipFile, ZipFile, ZipInfo, is_zipfile

from hub.feeds.records import Reject

MAX_MEMBERS = 10_000
MAX_DIRECTORY = 4 << 20  # bytes of the central directory
MAX_BYTES = 8 << 30  # of all members, unpacked
MAX_RATIO = 200  # unpacked to packed, of members larger than
RATIO_FROM = 16 << 20
METHODS = (ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA)
END, END_64, LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
MEMBER_START = b"PK\x03\x04"
ARCHIVES = (".zip", ".7z", ".rar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".tar")
BY_SYSTEMS = ("__macosx", "thumbs.db", "desktop.ini")
UNREADABLE = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive. `name` is its base name as written; compare `key`."""

    name: str
    open: Callable[[], BinaryIO]

    @property
    def key(self) -> str:
        return self.name.casefold()


class Unsafe(Exception):
    """Why the archive is refused."""

    def __init__(self, what: str, code: str = "ZIP_UNSAFE"):
        super().__init__(what)
        self.code, self.what = code, what


def safe_members(path: Path) -> Iterator[Member | Reject]:
    """The members of a ZIP or folder, or one Reject of the whole; a file that is neither is its own only member."""
    try:
        if path.is_dir():
            yield from _of_folder(path)
        elif is_zipfile(path):
            yield from _of_zip(path)
        elif _starts_as_zip(path):
            raise Unsafe("The archive is damaged. Send it again.", "CHECKSUM")
        else:
            yield Member(path.name, lambda: path.open("rb"))
    except Unsafe as refused:
        yield _reject(refused)


def unsafe(path: Path, most: int, most_of: Mapping[str, int]) -> Reject | None:
    """Why this file, which must be a ZIP (a workbook is one), is refused; None where it is not. `most` bytes of all
    members and `most_of` some."""
    try:
        _check_size(path)
        with ZipFile(path) as archive:
            infos = archive.infolist()
        _check(infos, most)
        if any(info.file_size > most_of.get(info.filename.lower(), most) for info in infos):
            raise Unsafe("A part of the workbook is too large.")
    except Unsafe as refused:
        return _reject(refused)
    except UNREADABLE:
        return _reject(Unsafe("The file is no ZIP, or a damaged one. Send it again.", "UNSUPPORTED"))
    return None


def _reject(refused: Unsafe) -> Reject:
    return Reject(refused.code, what=refused.what, whole=True)


def _starts_as_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == MEMBER_START


def _of_folder(folder: Path) -> Iterator[Member]:
    found = [path for path in sorted(folder.rglob("*")) if not _is_of_a_system(path.relative_to(folder).parts)]
    if any(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in found):
        raise Unsafe("The folder holds a link or a device.")
    files = [path for path in found if path.is_file()]
    if len(files) > MAX_MEMBERS:
        raise Unsafe(f"The folder holds more than {MAX_MEMBERS} files.")
    _check_names(path.name for path in files)
    for path in files:
        yield Member(path.name, lambda path=path: path.open("rb"))  # type: ignore[misc]


def _of_zip(path: Path) -> Iterator[Member]:
    _check_size(path)
    try:
        archive = ZipFile(path)
    except UNREADABLE:
        raise Unsafe("The archive is damaged. Send it again.", "CHECKSUM") from None
    with archive:
        infos = _files(archive.infolist())
        _check(infos, MAX_BYTES)
        _check_names(PurePosixPath(info.filename).name for info in infos)
        _check_content(archive, infos)
        for info in infos:
            name = PurePosixPath(info.filename).name
            yield Member(name, lambda info=info: cast(BinaryIO, archive.open(info)))  # type: ignore[misc]


def _files(infos: Iterable[ZipInfo]) -> list[ZipInfo]:
    return [info for info in infos if not info.is_dir() and not _is_of_a_system(PurePosixPath(info.filename).parts)]


def _is_of_a_system(parts: tuple[str, ...]) -> bool:
    return any(part.casefold() in BY_SYSTEMS for part in parts) or parts[-1].startswith("._")


def _check_size(path: Path) -> None:
    """The central directory, before Python reads all of it into memory."""
    entries, size = _directory(path)
    if entries > MAX_MEMBERS or size > MAX_DIRECTORY:
        raise Unsafe(f"The archive holds more than {MAX_MEMBERS} files.")


def _directory(path: Path) -> tuple[int, int]:
    """Entries and bytes of the central directory, as the end of the file says them."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - (1 << 16) - 22 - 76))
        tail = stream.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) < at + 22:
        return 0, 0  # no ZIP; its reader says so
    entries, length = struct.unpack("<HI", tail[at + 10 : at + 16])
    large = tail.rfind(END_64, 0, at)
    if large >= 0 and tail[at - 20 : at - 16] == LOCATOR_64 and at >= large + 56:
        more, longer = struct.unpack("<QQ", tail[large + 32 : large + 48])
        return max(entries, more), max(length, longer)
    return entries, length


def _check(infos: list[ZipInfo], most: int) -> None:
    if sum(info.file_size for info in infos) > most:
        raise Unsafe(f"The archive unpacks to more than {most} bytes.")
    for info in infos:
        _check_member(info)


def _check_member(info: ZipInfo) -> None:
    if _leads_outside(info.filename) or "\0" in info.orig_filename:
        raise Unsafe("A member's name leads outside of the archive.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind and kind not in (stat.S_IFREG, stat.S_IFDIR):
        raise Unsafe("A member is a link or a device.")
    if info.flag_bits & 0x1 or info.compress_type == 99:
        raise Unsafe("The archive has a password. Send it without one.", "ENCRYPTED")
    if info.compress_type not in METHODS:
        raise Unsafe("A member is packed by a method that is not read. Use deflate.", "UNSUPPORTED")
    if info.file_size > max(RATIO_FROM, MAX_RATIO * info.compress_size):
        raise Unsafe(f"A member unpacks to more than {MAX_RATIO} times its size.")


def _leads_outside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name.startswith("/") or "\\" in name or ".." in parts or name[1:2] == ":" or not name.isprintable()


def _check_names(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower().endswith(ARCHIVES):
            raise Unsafe("The archive holds another archive. Send its files in one.")
        if name.casefold() in seen:
            raise Unsafe("Two files of the archive have one name.")
        seen.add(name.casefold())


def _check_content(archive: ZipFile, infos: list[ZipInfo]) -> None:
    """Each member is read to its end once: then no checksum fails in the middle of its rows."""
    try:
        for info in infos:
            with archive.open(info) as stream:
                start = stream.read(4)
                if start == MEMBER_START and not info.filename.lower().endswith(".xlsx"):
                    raise Unsafe("The archive holds another archive. Send its files in one.")
                while stream.read(1 << 18):
                    pass
    except UNREADABLE:
        raise Unsafe("The archive is damaged. Send it again.", "CHECKSUM") from None
