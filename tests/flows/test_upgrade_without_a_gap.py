"""R27: two nodes of the release before, over one PostgreSQL and under load, become two of this one: first `hub
migrate`, then one node after the other, as docs/deployment.md says. No request fails, nothing is lost.

The release before is the newest commit whose newest migration is an earlier one, with its own code."""

import subprocess
import tarfile
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.store.engine import Database
from hub.store.schema import newest
from tests.flows import stories
from tests.flows.hospital_load import Hospital
from tests.flows.hub_process import ROOT, HubProcess
from tests.flows.kill_campaign import message
from tests.flows.nginx_before import Nginx
from tests.flows.partners import register
from tests.flows.test_behind_nginx import KEY, Client, Pair, until_asked
from tests.postgresql import Cluster

VERSIONS = "hub/store/migrations/versions"
PATIENCE_SECONDS = 180


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"git {words[0]}: {done.stderr.strip() or 'failed'}: no release before this one to be had here")
    return done.stdout


def release_before(folder: Path) -> Path:
    """Its code, unpacked."""
    for commit in git("log", "--format=%H", "--", VERSIONS).split():
        names = [Path(name).name for name in git("ls-tree", "--name-only", commit, f"{VERSIONS}/").split()]
        if max(name.partition("_")[0] for name in names if name[0].isdigit()) < newest():
            git("archive", "-o", str(folder / "before.tar"), commit)
            with tarfile.open(folder / "before.tar") as archive:
                archive.extractall(folder / "before", filter="data")
            return folder / "before"
    pytest.skip("the history here does not reach back to a release with an earlier schema")


@pytest.mark.long
@pytest.mark.postgresql
def test_the_release_before_is_replaced_under_load(postgresql: Cluster, tmp_path: Path) -> None:
    before = release_before(tmp_path)
    url = postgresql.create_database("upgraded")
    olds = [HubProcess(_folder(tmp_path, n), url, HUB_SECRET_KEY=KEY).of_release(before) for n in (1, 2)]
    (tmp_path / "nginx").mkdir()
    nginx = Nginx(tmp_path / "nginx", [old.http_port for old in olds])
    for old in olds:
        old.environment |= {"HUB_BASE_URL": nginx.base, "HUB_WEB_THREADS": "2", "REQUESTS_CA_BUNDLE": nginx.trusted}
    running = list(olds)
    olds[0].command("migrate")
    try:
        for old in olds:
            old.start()
        nginx.start()
        partner = register(olds[0], "county")
        pair = Pair(running, nginx, {"Authorization": f"Bearer {partner.token(olds[0])}"})
        clients = [Client(pair, number) for number in range(2)]
        hospitals = [Hospital(n, 8000, message, old.mllp_port, Pace()) for n, old in enumerate(olds)]
        for thread in (*clients, *hospitals):
            thread.start()
        _until_all_went_on(clients, hospitals)
        news = [HubProcess(old.folder, url) for old in olds]
        for old, new in zip(olds, news, strict=True):
            new.environment = old.environment | {"PYTHONPATH": str(ROOT)}
            new.take_the_place_of(old)
        news[0].command("migrate")
        _until_all_went_on(clients, hospitals)  # the release before, over this one's schema
        for place, (old, new) in enumerate(zip(olds, news, strict=True)):
            nginx.leave_out(old.http_port)
            old.stop()
            new.start()
            running[place] = new
            nginx.leave_out()
            _until_all_went_on(clients, hospitals)  # both releases side by side, then this one
        for thread in (*clients, *hospitals):
            thread.end.set()
        for thread in (*clients, *hospitals):
            thread.join(60)
        seen = sum((client.counted for client in clients), Counter[str]())
        assert set(seen) <= {"201", "200", "later"}, seen
        made = set().union(*(client.made for client in clients))
        told = set().union(*(hospital.sent.acknowledged for hospital in hospitals))
        assert all(hospital.is_alive() is False and hospital._left for hospital in hospitals)  # to the end
        assert [hospital.sent.refused for hospital in hospitals] == [{}, {}]
        _all_is_there(url, made, told)
    finally:
        nginx.stop()
        for hub in running:
            hub.stop()
    postgresql.drop_database("upgraded")


class Pace:
    """Some messages five times a second: the hospitals send for as long as the upgrade lasts."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self) -> bool:
        is_time = time.monotonic() - self._last > 0.2
        self._last = time.monotonic() if is_time else self._last
        return is_time


def _until_all_went_on(clients: list[Client], hospitals: list[Hospital]) -> None:
    before = [len(hospital.sent.acknowledged) for hospital in hospitals]
    until_asked(clients, 10)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(len(each.sent.acknowledged) < told + 10 for each, told in zip(hospitals, before, strict=True)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _folder(parent: Path, number: int) -> Path:
    found = parent / f"node{number}"
    found.mkdir()
    (found / "facilities.csv").write_text(stories.FACILITIES)
    return found


def _all_is_there(url: str, made: set[str], told: set[str]) -> None:
    database = Database(url, pool_size=2)
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while True:
            with database.read() as connection:
                rows = connection.execute(text("SELECT control_id, state FROM inbox")).all()
                patients = (
                    connection.execute(text("SELECT id FROM resource WHERE type = 'Patient'")).scalars().all()
                )
            if all(row.state != "received" for row in rows):
                break
            assert time.monotonic() < deadline
            time.sleep(1)
    finally:
        database.close()
    assert Counter(row.control_id for row in rows).most_common(1)[0][1] == 1
    assert {row.control_id for row in rows} >= told
    assert {row.state for row in rows if row.control_id in told} == {"processed"}
    assert set(patients) >= made
