"""The reference plan as tests use it: started, asked, given faults, stopped; and a hub's configuration for it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from adapters.plan.api.configuration import PlanApi, plan_api
from auth.development_token import new_key, public_jwks
from hub.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]
CLIENT = "the-hub"


@dataclass(frozen=True)
class ReferencePlan:
    url: str
    key: Path
    verify: str | bool = True

    def fault(self, path: str, fault: str, times: int = 1) -> None:
        self._admin("faults", path=path, fault=fault, times=times)

    def decide(self, number: str, **task: Any) -> None:
        self._admin("decide", number=number, task={"resourceType": "Task", "id": number, **task})

    def set_clock(self, at: float) -> None:
        """Seconds since 1970: the plan lives at the hub's time."""
        self._admin("clock", at=at)

    def forget_tokens(self, life: int = 300) -> None:
        self._admin("tokens", life=life)

    @property
    def state(self) -> dict[str, Any]:
        return self._admin("state")

    def _admin(self, what: str, **said: Any) -> dict[str, Any]:
        found: dict[str, Any] = requests.post(
            f"{self.url}/admin/{what}", json=said, timeout=10, verify=self.verify
        ).json()
        return found

    def settings(self, **more: str) -> dict[str, str]:
        return {
            "HUB_PLAN_API_URL": self.url,
            "HUB_PLAN_API_TOKEN_URL": f"{self.url}/token",
            "HUB_PLAN_API_CLIENT": CLIENT,
            "HUB_PLAN_API_KEY": str(self.key),
            "HUB_PLAN_API_ORGANIZATION": "Organization/plan",
            "HUB_PLAN_API_SEES": "plan",
            "HUB_PLAN_API_SECONDS": "2",
            **more,
        }

    def api(self, **more: str) -> PlanApi:
        found = plan_api(read_settings(self.settings(**more)))
        assert found
        return found


@contextmanager
def reference_plan(
    folder: Path, algorithm: str = "ES384", tls: tuple[Path, Path] | None = None
) -> Iterator[ReferencePlan]:
    """A running plan that knows the hub's key."""
    key = new_key(algorithm)
    private, public = folder / "key.json", folder / "jwks.json"
    private.write_text(json.dumps(key))
    private.chmod(0o600)
    public.write_text(json.dumps(public_jwks(key)))
    words = [sys.executable, "-m", "tests.reference_plan.server", str(public), CLIENT, *map(str, tls or ())]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = int(process.stdout.readline())
            yield ReferencePlan(f"{'https' if tls else 'http'}://127.0.0.1:{port}", private, not tls)
        finally:
            process.kill()
