"""`hub config check` refuses what `hub serve` would: what keeps a role from starting is found before."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.front import parts
from hub.front.starting import check_start
from hub.problems import CannotStart
from hub.settings import SettingsError
from tests.certificates import Authority
from tests.flows.hub_process import ROOT


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path / "data"))
    parts.settings.cache_clear()
    yield
    parts.settings.cache_clear()


@pytest.mark.parametrize("prefix", ["HUB_TLS", "HUB_MLLP_TLS"])
def test_certificates_that_do_not_belong_to_their_keys(
    prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path, "invented")
    monkeypatch.setenv(f"{prefix}_CERT", str(authority.sign("new").cert))
    with pytest.raises(SettingsError, match="go together"):
        check_start()
    monkeypatch.setenv(f"{prefix}_KEY", str(authority.sign("old").key))
    parts.settings.cache_clear()
    with pytest.raises(CannotStart, match="web server" if prefix == "HUB_TLS" else "MLLP"):
        check_start()


@pytest.mark.parametrize("name", ["HUB_MLLP_SENDERS", "HUB_MLLP_LISTENERS"])
def test_tables_of_hospitals_that_cannot_be_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.csv").write_text("no,such,columns\n1,2,3\n")
    monkeypatch.setenv(name, str(tmp_path / "broken.csv"))
    with pytest.raises(CannotStart, match="MLLP"):
        check_start()


def test_a_collector_without_what_sends_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(CannotStart, match="not installed"):
        check_start()


def test_a_key_file_that_was_cut_off(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret.key").touch()
    with pytest.raises(SettingsError, match="cut off"):
        check_start()


def test_whoever_is_told_of_events_has_a_lane_of_its_own() -> None:
    """hub.worker: ten thousand pieces of other work keep no notice waiting."""
    command = "from hub.front.working import make_worker; w = make_worker(); print(*w.events, '|', *w.work)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, timeout=120, cwd=ROOT)
    events, _, work = done.stdout.strip().partition(" | ")
    assert "event" in events.split(), done.stderr
    assert {"referral", "follow-up"} <= {*work.split()}
    assert not {*events.split()} & {*work.split()}
