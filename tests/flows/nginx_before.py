"""Debian's nginx with deploy/nginx.conf before nodes of a test: addresses, certificate and places are put in, the
rest is the file as it is shipped."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import requests

from tests.certificates import Authority
from tests.flows.hub_process import ROOT, free_port

CONFIGURATION = ROOT / "deploy" / "nginx.conf"
START_SECONDS = 30
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def binary() -> str:
    """nginx, or the test is skipped and says why; with HUB_REQUIRE_NGINX=1 it fails."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        reason = "no nginx in PATH or /usr/sbin (Debian: nginx-light)"
        if os.environ.get("HUB_REQUIRE_NGINX") == "1":
            pytest.fail(f"HUB_REQUIRE_NGINX=1, but {reason}")
        pytest.skip(reason)
    return found


class Nginx:
    """`base` is what clients reach. It trusts nobody's word about an address but its own."""

    def __init__(self, folder: Path, nodes: Sequence[int], websockets: int | None = None):
        self._binary = binary()
        self._folder, self._nodes = folder, list(nodes)
        self._websockets = websockets or free_port()
        self._authority = Authority(folder / "papers", "county")
        self._papers = self._authority.sign("nginx")
        self.port = free_port()
        self.base = f"https://127.0.0.1:{self.port}"
        self.trusted = str(self._authority.cert)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return "".join((self._folder / name).read_text() for name in ("access.log", "error.log"))

    def start(self) -> "Nginx":
        self._write(())
        self._process = subprocess.Popen(
            [
                self._binary,
                "-e",
                f"{self._folder}/error.log",
                "-c",
                f"{self._folder}/nginx.conf",
                "-g",
                "daemon off;",
            ]
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, "nginx ended at once"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self

    def leave_out(self, *nodes: int) -> None:
        """As a person does before a node is replaced: marked down and read again. What is on its way ends there."""
        assert self._process is not None
        self._write(nodes)
        self._process.send_signal(1)
        time.sleep(0.5)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.base}/livez", verify=self.trusted, timeout=5).status_code in (200, 502)
        except requests.RequestException:
            return False

    def _write(self, left_out: Sequence[int]) -> None:
        text = CONFIGURATION.read_text()
        for name, port in zip(("web1", "web2"), self._nodes, strict=True):
            down = " down" if port in left_out else ""
            text = _put(text, rf"server {name}:8080", f"server 127.0.0.1:{port}{down}")
        text = _put(text, "server worker1:8081", f"server 127.0.0.1:{self._websockets}")
        text = _put(text, "listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl")
        text = _put(text, "/run/secrets/tls-cert", str(self._papers.cert))
        text = _put(text, "/run/secrets/tls-key", str(self._papers.key))
        text = _put(text, "/run/nginx.pid", f"{self._folder}/nginx.pid")
        text = _put(text, "/var/log/nginx/access.log", f"{self._folder}/access.log")
        text = _put(text, "/var/log/nginx/error.log", f"{self._folder}/error.log")
        if os.geteuid():  # what the package made for its own account is not ours
            paths = "".join(f"{name}_temp_path {self._folder}/{name};\n" for name in TEMPORARY)
            text = _put(text, "server_tokens off;", f"server_tokens off;\n{paths}")
        (self._folder / "nginx.conf").write_text(text)


def _put(text: str, place: str, value: str) -> str:
    made, count = re.subn(re.escape(place), value, text)
    assert count == 1, f"{place} is there {count} times"
    return made
