"""The top of the house: nobody leaves a thing there unnoticed."""

import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
ROOMS = {"hub", "fhir_mappings", "adapters", "auth", "conformance", "deploy", "tests", "docs"}
PAPERS = {"wsgi.py", "pyproject.toml", "README.md", "Makefile", "CHANGELOG.md", "requirements.lock"}


@pytest.mark.skipif(
    shutil.which("git") is None or not (TOP / ".git").exists(),
    reason="not a git checkout: what is ignored is unknown",
)
def test_the_top_folder_holds_its_rooms_and_papers_and_nothing_else() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TOP,
        capture_output=True,
        check=True,
    )
    paths = [name for name in listed.stdout.decode().split("\0") if name and (TOP / name).exists()]
    top = {name.split("/")[0] for name in paths}
    assert {name for name in top if not name.startswith(".")} == ROOMS | PAPERS
    assert ".ci" in top
