"""The FHIR API under the load that peers were measured with: `fhirload.py`, eight connections, a filled database.

The load generator is not part of this project. It is taken from FHIRLOAD or ../shared/bench/fhirload.py; where
it is not there nothing is measured, and that is said. Each phase is a run of its own with a fresh token. It checks
the meaning of the answers: a wrong answer is no result.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.footprint import resident
from tests.bench.grounds import Ground, Running
from tests.bench.measures import PHASES, Figure
from tests.flows.hub_process import ROOT

GENERATOR = Path(os.environ.get("FHIRLOAD", ROOT.parent / "shared" / "bench" / "fhirload.py"))
SEEDED_A_RUN = 5000  # a token lives five minutes
PROCESSES = "2"  # one for each core of the machine the peers were measured on


def facade(ground: Ground) -> Iterator[Figure]:
    if not GENERATOR.exists():
        print("The FHIR API is not measured under load: there is no fhirload.py (set FHIRLOAD)")
        return
    with ground.serving(ground.size.demo, HUB_WEB_PROCESSES=PROCESSES) as running:
        seeded = [_run(running, until, "") for until in _steps(ground.size.facade)]
        yield Figure("facade.seed.rate", _seed_rate(seeded), ground.name)
        for phase in PHASES:
            yield from _figures(phase, ground, _run(running, 0, phase, ground.size.facade_seconds))
        each = [resident([pid]).rss for pid in running.hub.pids()]
    yield Figure("facade.memory", max(each), ground.name, more={"each": sorted(each, reverse=True)})


def _steps(members: int) -> list[int]:
    return [*range(SEEDED_A_RUN, members, SEEDED_A_RUN), members]


def _seed_rate(runs: list[Any]) -> float:
    seeds = [run["seed"] for run in runs]
    return round(sum(s["bundles"] for s in seeds) / sum(s["elapsed_s"] for s in seeds), 1)


def _run(running: Running, seed: int, phases: str, seconds: float = 1) -> Any:
    state = running.hub.folder / "fhirload.json"
    words = [sys.executable, GENERATOR, running.hub.fhir, "--state", state]
    words += ["--seed", seed, "--phases", phases, "--seconds", seconds, "--warmup", min(3, seconds / 3)]
    environment = {**os.environ, "FHIRLOAD_TOKEN": running.token()}
    done = subprocess.run(list(map(str, words)), env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"fhirload failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def _figures(phase: str, ground: Ground, result: Any) -> Iterator[Figure]:
    found = result["phases"][phase]
    if not found.get("supported", True):
        raise AssertionError(f"{phase} is not answered as it should be: {found}")
    more = {"errors": found["errors"], "client_cpu": found.get("client_cpu_cores")}
    latency = found["latency_ms"]
    yield Figure(f"facade.{phase}.rate", found["ok_per_s"], ground.name, more=more)
    yield Figure(f"facade.{phase}.p99", latency["p99"], ground.name, more={"p50": latency["p50"]})
