"""deploy/ agrees with itself and with the repository: settings, paths, ports, secrets, versions, commands.

There is no Docker engine here: the image is not built. What its Containerfile copies is unpacked alone, and the hub
runs from it with the settings of compose.yaml (tests/flows/test_shipped.py).
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.settings import SETTINGS
from hub.stopping import FINISH_SECONDS
from tests.flows.hub_process import ROOT

DEPLOY = ROOT / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
COMPOSE_TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
HUBS = {name: one for name, one in SERVICES.items() if one["image"].startswith("calaim-hub:")}
NGINX = (DEPLOY / "nginx.conf").read_text()
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
KNOWN = {setting.name: setting for setting in SETTINGS}
LONGEST_DRAIN = 8


@pytest.mark.parametrize(
    "path", [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()], ids=lambda path: path.name
)
def test_every_setting_named_is_one(path: Path) -> None:
    named = set(re.findall(r"\bHUB_[A-Z0-9_]+\b", path.read_text()))
    assert named <= {*KNOWN, *COMPOSE_OWN}


# what compose.yaml asks its .env for, and is no setting of the hub
COMPOSE_OWN = {"HUB_HTTPS_ADDRESS", "HUB_MLLP_ADDRESS", "HUB_RELEASE"}


@pytest.mark.parametrize("name", HUBS)
def test_settings_of_a_service_have_values_that_can_be_used(name: str) -> None:
    for setting, value in HUBS[name]["environment"].items():
        if "${" not in value:
            KNOWN[setting].parse(value)


def test_no_secret_has_a_default_or_stands_in_a_file_here() -> None:
    for name, secret in COMPOSE["secrets"].items():
        assert secret["file"].startswith("./secrets/"), name
    assert not (DEPLOY / "secrets").exists() or "deploy/secrets/" in (ROOT / ".gitignore").read_text()
    for path in (path for path in DEPLOY.rglob("*") if path.is_file()):
        text = path.read_text()
        assert not re.search(
            r"(PASSWORD|SECRET_KEY|TOKEN)(\s*[:=]\s*[^\s$/{-]|:-[^}])", text.replace("_FILE:", "")
        ), path
        assert "PRIVATE KEY" not in text
    assert "ENV HUB_SECRET" not in CONTAINERFILE
    used = {_name(one) for service in SERVICES.values() for one in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])


def _name(secret: str | dict[str, str]) -> str:
    return secret if isinstance(secret, str) else secret["source"]


def test_images_have_versions() -> None:
    images = re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE)
    images += [one["image"] for name, one in SERVICES.items() if name not in HUBS]
    assert images
    for image in images:
        assert re.fullmatch(r"docker\.io/library/[a-z]+:\d+\.\d+(\.\d+)?(-slim)?-bookworm", image), image
    assert len({image for image in images if "/python:" in image}) == 1
    assert "python:3.11." in CONTAINERFILE  # what requirements.lock was made for
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert all(one["image"] == f"calaim-hub:${{HUB_RELEASE:-{version[1]}}}" for one in HUBS.values())


def test_what_is_copied_is_there_and_is_all_that_is_installed() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \./\S*$", CONTAINERFILE, re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    assert all((ROOT / name).exists() for name in names)
    ignored = (DEPLOY / "Containerfile.dockerignore").read_text().split()
    assert {name.removeprefix("!") for name in ignored if name.startswith("!")} == set(names)
    assert "--require-hashes -r requirements.lock" in CONTAINERFILE
    for line in CONTAINERFILE.splitlines():
        if "pip install" in line:
            assert "--require-hashes" in line or "--no-deps" in line


def test_nobody_is_root_and_the_root_is_read_only() -> None:
    assert re.search(r"^USER 10001:10001$", CONTAINERFILE, re.MULTILINE)
    for name, one in HUBS.items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in one["security_opt"], name
        assert "privileged" not in one, name
    written = {volume.split(":")[1] for one in HUBS.values() for volume in one["volumes"] if ":ro" not in volume}
    assert all(f"{path} " in f"{CONTAINERFILE} ".replace("\n", " ") for path in written)


def test_ports_and_addresses_agree() -> None:
    for name in ("web1", "web2"):
        settings = SERVICES[name]["environment"]
        assert f"server {name}:{settings['HUB_HTTP_PORT']} " in NGINX
        assert f"127.0.0.1:{settings['HUB_HTTP_PORT']}/livez" in CONTAINERFILE
        assert settings["HUB_TRUSTED_PROXIES"] == SERVICES["nginx"]["networks"]["front"]["ipv4_address"] + "/32"
        assert "ports" not in SERVICES[name]  # nobody passes by nginx
    websockets = SERVICES["worker1"]["environment"]["HUB_WEBSOCKET_PORT"]
    assert f"server worker1:{websockets};" in NGINX
    for name, port in (("mllp1", "2575"), ("mllp2", "2576")):
        assert SERVICES[name]["ports"][0].endswith(f":{port}:{SERVICES[name]['environment']['HUB_MLLP_PORT']}")
        assert str(SERVICES[name]["environment"]["HUB_MLLP_PORT"]) in str(SERVICES[name]["healthcheck"]["test"])
    assert "ports" not in SERVICES["db"]
    assert SERVICES["db"]["networks"] == ["back"]
    fixed = {
        f"{name}:{SERVICES[name]['networks']['front']['ipv4_address']}" for name in ("web1", "web2", "worker1")
    }
    assert fixed == set(SERVICES["nginx"]["extra_hosts"])
    for secret in re.findall(r"/run/secrets/([\w-]+)", NGINX):
        assert secret in SERVICES["nginx"]["secrets"]


def test_who_has_no_web_server_is_watched_at_a_port_of_its_own() -> None:
    """What MLLP nodes count is in their memory alone: alerts on hospitals rest on it."""
    for name in ("mllp1", "mllp2", "worker1"):
        assert SERVICES[name]["environment"]["HUB_WATCH_HOST"] == "0.0.0.0"
        assert SERVICES[name]["environment"]["HUB_WATCH_PORT"] == "9464"
    ports = [re.findall(r"^Environment=HUB_WATCH_PORT=(\d+)$", unit.read_text(), re.MULTILINE) for unit in UNITS]
    assert sorted(port for found in ports for port in found) == ["9465", "9466"]


def test_backups_have_a_place_that_can_be_written() -> None:
    assert "backup:/var/backups/calaim-hub" in SERVICES["worker1"]["volumes"]
    writes = re.findall(r"^ReadWritePaths=(.*)$", (DEPLOY / "systemd/calaim-hub-backup.service").read_text(), re.M)
    assert writes == ["/var/backups/calaim-hub"]
    assert (
        f"install -d -m 700 -o calaim-hub -g calaim-hub {writes[0]}\n" in (ROOT / "docs/deployment.md").read_text()
    )


def test_nginx_lets_as_much_through_as_the_hub_takes() -> None:
    sizes = [int(size) << 20 for size in re.findall(r"client_max_body_size (\d+)m", NGINX)]
    assert sizes[0] > int(KNOWN["HUB_MAX_BODY_BYTES"].default)
    assert sizes[1] > int(KNOWN["HUB_UPLOAD_MB"].default) << 20


def test_each_node_keeps_its_journals_to_itself_and_files_are_shared() -> None:
    """Of a journal nobody may take away what its own node has not moved (docs/audit.md)."""
    serving = {name: one for name, one in HUBS.items() if one["command"][0] == "serve"}
    own = [
        volume.split(":")[0]
        for one in serving.values()
        for volume in one["volumes"]
        if ":/var/lib/calaim-hub/node" in volume
    ]
    assert sorted(own) == sorted(serving)
    assert {one["environment"]["HUB_FILES_DIR"] for one in serving.values()} == {"/var/lib/calaim-hub/files"}
    for name in ("web1", "web2", "worker1"):
        assert "files:/var/lib/calaim-hub/files" in SERVICES[name]["volumes"]
    for one in HUBS.values():  # one key for all
        assert {"source": "secret-key", "target": "/var/lib/calaim-hub/node/secret.key"} in one["secrets"]
        assert one["environment"]["HUB_DATABASE_URL"] == HUBS["web1"]["environment"]["HUB_DATABASE_URL"]


def test_the_database_is_migrated_first_and_nobody_is_killed_before_it_has_ended() -> None:
    for name, one in HUBS.items():
        if one["command"][0] == "serve":
            assert one["depends_on"]["migrate"]["condition"] == "service_completed_successfully", name
        assert int(one["stop_grace_period"].removesuffix("s")) > LONGEST_DRAIN + FINISH_SECONDS, name
        assert "healthcheck" in one or "--web" in one["command"], name
    settings = (DEPLOY / "systemd" / "calaim-hub-.service.d" / "all.conf").read_text()
    stop = re.search(r"^TimeoutStopSec=(\d+)$", settings, re.MULTILINE)
    assert stop
    assert int(stop[1]) > LONGEST_DRAIN + FINISH_SECONDS
    assert "KillMode=mixed" in settings  # SIGTERM to all at once would leave the farewell out


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_commands_of_units_are_the_hubs(path: Path) -> None:
    from typer.main import get_command

    from hub.front.commands import command_line

    commands = get_command(command_line()).commands  # type: ignore[attr-defined]
    for command in re.findall(r"^ExecStart\w*=\S+/hub (.+)$", path.read_text(), re.MULTILINE):
        first, *rest = command.split()
        found = commands[first]
        if hasattr(found, "commands"):
            found = found.commands[rest[0]]
        options = {name for parameter in found.params for name in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    units = tmp_path / "units"
    shutil.copytree(DEPLOY / "systemd", units)
    there = Path(sys.executable).with_name("hub")
    for path in units.glob("*.service"):
        path.write_text(path.read_text().replace("/opt/calaim-hub/.venv/bin/hub", str(there)))
    names = [str(path) for kind in ("service", "target", "timer") for path in sorted(units.glob(f"*.{kind}"))]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names],
        env={"SYSTEMD_UNIT_PATH": f"{units}:"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
