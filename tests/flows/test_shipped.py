"""What the Containerfile copies and installs is a whole hub: it runs from that alone, with the settings of
compose.yaml, and answers what the image's healthcheck asks."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import requests

from tests.flows.hub_process import ROOT, HubProcess, free_port
from tests.house.test_deployment import CONTAINERFILE, HUBS

PLACES = {"/var/lib/calaim-hub/node": "node", "/var/lib/calaim-hub/files": "files", "/etc/calaim-hub": "config"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the Containerfile does: its paths alone, made into a package, and the package into a folder."""
    folder = tmp_path_factory.mktemp("image")
    copied = re.findall(r"^COPY (?!--from)(.+) \./\S*$", CONTAINERFILE, re.MULTILINE)
    for name in (name for line in copied for name in line.split()):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / "build" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (folder / "build").mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / "build" / name)
    make = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), "."]
    subprocess.run(make, cwd=folder / "build", check=True, timeout=120)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


@pytest.mark.long
def test_it_runs_from_what_is_installed(installed: Path, tmp_path: Path) -> None:
    for name in PLACES.values():
        (tmp_path / name).mkdir()
    hub = HubProcess(tmp_path).of_release(installed)
    given = HUBS["worker1"]["environment"] | HUBS["web1"]["environment"]
    for setting, value in given.items():
        place = next((place for place in PLACES if str(value).startswith(place)), None)
        if place:  # an empty folder of configuration is no reason not to start
            hub.environment[setting] = str(tmp_path / PLACES[place]) + value.removeprefix(place)
    hub.environment |= {"HUB_DATA_DIR": str(tmp_path / "node"), "HUB_WEBSOCKET_PORT": str(free_port())}
    hub.command("migrate")
    hub.start()
    try:
        assert requests.get(f"{hub.base}/readyz", timeout=10).status_code == 200
        [asked] = re.findall(r"^    CMD (\[.+\])$", CONTAINERFILE, re.MULTILINE)
        words = json.loads(asked.replace("127.0.0.1:8080", f"127.0.0.1:{hub.http_port}"))
        assert subprocess.run([sys.executable, *words[1:]], check=False, timeout=30).returncode == 0
        hub.stop()
        assert subprocess.run([sys.executable, *words[1:]], check=False, capture_output=True).returncode
    finally:
        hub.stop()
    assert shlex.join(words[:2]) == "python -c"
