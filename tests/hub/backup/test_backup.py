"""What a backup holds, and every place that a restore refuses. Under load: tests/flows/test_backup_drill.py."""

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from hub.backup import contents, databases, manifest
from hub.backup.making import Source, forget, make
from hub.backup.restoring import checked, restore
from hub.clock import now
from hub.problems import CannotStart
from hub.settings import Settings, read_settings
from hub.store.engine import Database
from hub.store.schema import is_usable, newest
from tests.postgresql import Cluster

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DIGEST = "ab" * 32
KEPT = ["code_tables/0001.csv", "facilities.csv", f"files/{DIGEST}", "secret.key"]


def settings_of(folder: Path, url: str = "") -> Settings:
    return read_settings({"HUB_DATA_DIR": str(folder), "HUB_DATABASE_URL": url})


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Source:
    """A hub with something of each kind that it keeps, and some that it does not."""
    folder = tmp_path / "house"
    for name in (*KEPT, "files/.draft", "files/coming/half.csv", "limits-1", "demo/a.hl7"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"what {name} holds")
    url = database.url.render_as_string(hide_password=False)
    return Source(settings_of(folder, url), database, lambda: None, "1.2.3")


Bare = Callable[[], tuple[Settings, Database]]


@pytest.fixture
def bare(
    database: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[], tuple[Settings, Database]]:
    """Makes an empty place."""
    made: list[str] = []

    def make_one() -> tuple[Settings, Database]:
        folder = tmp_path / f"bare{len(made)}"
        if database.is_sqlite:
            url = f"sqlite:///{folder / 'hub.db'}"
        else:
            cluster: Cluster = request.getfixturevalue("postgresql")
            url = cluster.create_database(f"bare_{database.url.database}_{len(made)}")
        made.append(url)
        return settings_of(folder, url), Database(url, pool_size=2)

    return make_one


def test_what_was_there_is_there_again(house: Source, bare: Bare, tmp_path: Path) -> None:
    folder = make(house, tmp_path / "backups", NOON)
    assert folder.name == "20261123T120000Z"
    held = checked(folder)
    assert (held.schema, held.release, held.began) == (newest(), "1.2.3", "2026-11-23T12:00:00+00:00")
    assert sorted(file.name for file in held.files) == sorted([*KEPT, held.dump])
    settings, database = bare()
    restore(folder, settings, database)
    assert is_usable(database)
    for name in KEPT:
        path = settings.data_dir / name
        assert path.read_text() == f"what {name} holds"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    database.close()


def test_nobody_else_reads_it(house: Source, tmp_path: Path) -> None:
    folder = make(house, tmp_path / "backups", NOON)
    every = [folder, *folder.rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in every} == {0o600, 0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in every if path.is_file()} == {0o600}


def test_the_key_may_be_kept_elsewhere(house: Source, tmp_path: Path) -> None:
    folder = make(house, tmp_path / "backups", NOON, with_key=False)
    assert contents.KEY not in {file.name for file in checked(folder).files}


@pytest.mark.parametrize("name", ["facilities.csv", f"files/{DIGEST}", "secret.key"])
def test_a_place_with_anything_in_it_is_left_alone(house: Source, bare: Bare, tmp_path: Path, name: str) -> None:
    folder = make(house, tmp_path / "backups", NOON)
    settings, database = bare()
    there = settings.data_dir / name
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_text("mine")
    with pytest.raises(CannotStart, match="into an empty place only"):
        restore(folder, settings, database)
    assert there.read_text() == "mine"
    assert not is_usable(database)
    database.close()


def test_what_the_deployment_brought_as_the_backup_has_it_stays(house: Source, bare: Bare, tmp_path: Path) -> None:
    """A key that is mounted read-only, say."""
    folder = make(house, tmp_path / "backups", NOON)
    settings, database = bare()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    brought = settings.data_dir / "secret.key"
    brought.write_text("what secret.key holds")
    written = brought.stat().st_mtime_ns
    restore(folder, settings, database)
    assert is_usable(database)
    assert brought.stat().st_mtime_ns == written
    assert (settings.data_dir / "facilities.csv").exists()
    database.close()


def test_a_database_with_anything_in_it_is_left_alone(house: Source, tmp_path: Path) -> None:
    folder = make(house, tmp_path / "backups", NOON)
    place = settings_of(tmp_path / "other", house.settings["HUB_DATABASE_URL"])
    with pytest.raises(CannotStart, match="into an empty"):
        restore(folder, place, house.database)
    assert not (tmp_path / "other" / "secret.key").exists()


def _flip(folder: Path) -> None:
    path = folder / "facilities.csv"
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def _rename_in_manifest(name: str) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        told = json.loads((folder / manifest.NAME).read_text())
        next(file for file in told["files"] if file["name"] == "facilities.csv")["name"] = name
        (folder / manifest.NAME).write_text(json.dumps(told))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "facilities.csv").rename(folder / name)

    return act


def _tell(**values: object) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        told = json.loads((folder / manifest.NAME).read_text())
        (folder / manifest.NAME).write_text(json.dumps(told | values))

    return act


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (_flip, "not as it was made: facilities.csv"),
        (lambda folder: (folder / "secret.key").unlink(), "not as it was made: secret.key"),
        (lambda folder: (folder / "more.csv").write_text("x"), "not as it was made: more.csv"),
        (lambda folder: (folder / manifest.NAME).unlink(), "is no backup"),
        (_rename_in_manifest("../elsewhere"), "not as it was made|nothing that a backup holds"),
        (_rename_in_manifest("etc/passwd"), "nothing that a backup holds"),
        (_tell(format=2), "another kind of backup"),
        (_tell(schema="9999"), "newer release"),
        (_tell(database="oracle"), "another kind of database"),
        (_tell(dump="other.dump"), "not as it was made: other.dump"),
    ],
)
def test_what_is_not_as_it_was_made_is_not_restored(
    house: Source,
    bare: Bare,
    tmp_path: Path,
    harm: Callable[[Path], object],
    why: str,
) -> None:
    folder = make(house, tmp_path / "backups", NOON)
    harm(folder)
    settings, database = bare()
    with pytest.raises(CannotStart, match=why):
        restore(folder, settings, database)
    assert [path for path in settings.data_dir.glob("*") if not path.name.endswith((".lock", ".gate"))] == []
    assert not is_usable(database)
    database.close()


@pytest.mark.parametrize(
    "name", ["files/../../etc", "files//etc", "files/./x", "../files/x", "/etc/passwd", "hub.env"]
)
def test_no_name_leads_out_of_the_places_that_a_backup_knows(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="nothing that a backup holds"):
        contents.target(settings_of(tmp_path), name)


def test_a_backup_that_fails_leaves_nothing_that_looks_like_one(house: Source, tmp_path: Path) -> None:
    def fails() -> None:
        raise CannotStart("no")

    with pytest.raises(CannotStart):
        make(Source(house.settings, house.database, fails, "1"), tmp_path / "backups", NOON)
    assert list((tmp_path / "backups").iterdir()) == []


def test_only_the_newest_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    for days in range(4):
        folder = tmp_path / (NOON + timedelta(days=days)).strftime("%Y%m%dT%H%M%SZ")
        folder.mkdir()
        (folder / manifest.NAME).write_text("{}")
    (tmp_path / "20200101T000000Z").mkdir()  # no manifest: nobody knows what it is
    (tmp_path / "mine").mkdir()
    assert forget(tmp_path, 0) == []
    assert forget(tmp_path, 2) == ["20261123T120000Z", "20261124T120000Z"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "20200101T000000Z",
        "20261125T120000Z",
        "20261126T120000Z",
        "mine",
    ]


def test_the_password_is_on_no_command_line() -> None:
    url = make_url("postgresql+psycopg://user:hidden@db.example:5433/name?sslmode=verify-full")
    address = databases._address(url)
    assert "hidden" not in address
    assert set(address.split()) == {
        "host=db.example",
        "port=5433",
        "user=user",
        "dbname=name",
        "sslmode=verify-full",
    }


def test_a_database_that_does_not_answer_is_told_in_one_line_without_the_password(tmp_path: Path) -> None:
    url: URL = make_url("postgresql+psycopg://user:hidden@127.0.0.1:1/name")
    with pytest.raises(CannotStart, match=r"^pg_restore failed: ") as told:
        databases.load(url, tmp_path / "no.dump")
    assert "hidden" not in str(told.value)
    assert "\n" not in str(told.value)


def test_what_a_backup_does_not_hold_is_named(tmp_path: Path) -> None:
    settings = read_settings(
        {
            "HUB_DATA_DIR": str(tmp_path),
            "HUB_TLS_CERT": "/etc/hub/cert.pem",
            "HUB_MLLP_SENDERS": "/etc/hub/senders.csv",
            "HUB_FACILITIES_FILE": "/etc/hub/facilities.csv",
        }
    )
    assert set(contents.not_kept(settings)) == {"HUB_TLS_CERT", "HUB_MLLP_SENDERS"}


def test_a_backup_taken_twice_in_one_second_is_refused(house: Source, tmp_path: Path) -> None:
    at = now()
    make(house, tmp_path / "backups", at)
    with pytest.raises(CannotStart, match="is there already"):
        make(house, tmp_path / "backups", at)
