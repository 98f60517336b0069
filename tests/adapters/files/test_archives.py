"""Archives: row C13 of the catalogue of bad input. Each ZIP is a real one."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.files import archives
from adapters.files.archives import Member, safe_members
from hub.feeds.records import Reject

Write = Callable[[zipfile.ZipFile], None]


def archive(folder: Path, write: Write) -> Path:
    path = folder / "sent.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        write(opened)
    return path


def refusal(path: Path) -> tuple[str, bool]:
    (found,) = safe_members(path)
    assert isinstance(found, Reject)
    return found.code, found.whole


def contents(path: Path) -> dict[str, bytes]:
    found = {}
    for member in safe_members(path):
        assert isinstance(member, Member)
        with member.open() as stream:
            found[member.key] = stream.read()
    return found


def test_members_are_known_by_their_base_name_however_written(tmp_path: Path) -> None:
    def write(opened: zipfile.ZipFile) -> None:
        opened.writestr("export/CLIENT.csv", "a")
        opened.writestr("export/", "")
        opened.writestr("__MACOSX/export/._CLIENT.csv", "x")
        opened.writestr("Exit.csv", "b")

    assert contents(archive(tmp_path, write)) == {"client.csv": b"a", "exit.csv": b"b"}


def test_a_folder_is_read_as_an_archive_is(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "Client.csv").write_text("a")
    (tmp_path / "Exit.CSV").write_text("b")
    assert contents(tmp_path) == {"client.csv": b"a", "exit.csv": b"b"}


def test_a_file_is_its_own_only_member(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("ID\n")
    assert contents(tmp_path / "a.csv") == {"a.csv": b"ID\n"}


@pytest.mark.parametrize(
    "name", ["../x.csv", "a/../../x.csv", "/etc/x.csv", "C:/x.csv", "a\\..\\x.csv", "a\nb.csv", "a\u202ecsv.x"]
)
def test_a_name_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    assert refusal(archive(tmp_path, lambda opened: opened.writestr(name, "a"))) == ("ZIP_UNSAFE", True)


def test_a_link_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("Client.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert refusal(archive(tmp_path, lambda opened: opened.writestr(info, "/etc/passwd"))) == ("ZIP_UNSAFE", True)


def test_a_link_in_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Client.csv").symlink_to("/etc/passwd")
    assert refusal(tmp_path) == ("ZIP_UNSAFE", True)


def test_a_high_ratio_is_refused(tmp_path: Path) -> None:
    assert refusal(archive(tmp_path, lambda opened: opened.writestr("a.csv", bytes(17 << 20)))) == (
        "ZIP_UNSAFE",
        True,
    )


def test_a_well_packed_small_file_is_read(tmp_path: Path) -> None:
    path = archive(tmp_path, lambda opened: opened.writestr("a.csv", b"," * (1 << 20)))
    assert len(contents(path)["a.csv"]) == 1 << 20


def test_too_many_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_BYTES", 10)
    assert refusal(archive(tmp_path, lambda opened: opened.writestr("a.csv", "a" * 11)))[0] == "ZIP_UNSAFE"


def test_a_million_members_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "sent.zip"
    directory = (b"PK\x01\x02" + bytes(42)) * 100_000
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 7, 7, len(directory), 0, 0)  # the count says 7
    path.write_bytes(directory + end)
    assert refusal(path) == ("ZIP_UNSAFE", True)


def test_a_million_members_of_the_large_format_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sent.zip"
    large = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**6, 10**6, 46 * 10**6, 0)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1)
    path.write_bytes(large + locator + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, 46, 0, 0))
    assert refusal(path) == ("ZIP_UNSAFE", True)


def test_an_archive_within_an_archive_is_refused_by_name_and_by_content(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as opened:
        opened.writestr("a.csv", "a")
    for name in ("inner.zip", "inner.csv"):
        path = archive(tmp_path, lambda opened, name=name: opened.writestr(name, inner.getvalue()))  # type: ignore[misc]
        assert refusal(path) == ("ZIP_UNSAFE", True)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    def write(opened: zipfile.ZipFile) -> None:
        opened.writestr("old/Client.csv", "a")
        opened.writestr("new/client.CSV", "b")

    assert refusal(archive(tmp_path, write)) == ("ZIP_UNSAFE", True)


def test_a_password_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, lambda opened: opened.writestr("a.csv", "a"))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag that says so
    path.write_bytes(content)
    assert refusal(path) == ("ENCRYPTED", True)


def test_a_damaged_member_refuses_the_archive_before_a_row_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sent.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("a.csv", "ID\n1\n")
    path.write_bytes(path.read_bytes().replace(b"ID\n1\n", b"ID\n2\n"))
    assert refusal(path) == ("CHECKSUM", True)


def test_half_an_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, lambda opened: opened.writestr("a.csv", "a" * 1000))
    path.write_bytes(path.read_bytes()[:60])
    assert refusal(path) == ("CHECKSUM", True)
