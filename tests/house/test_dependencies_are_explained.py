"""Each dependency of pyproject.toml, of all its extras and groups, has a line in docs/dependencies.md with its
reason and licence, none else."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINE = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def named_in_pyproject() -> set[str]:
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = whole["project"]
    extras = [*project["optional-dependencies"].values(), *whole["dependency-groups"].values()]
    wanted = [*project["dependencies"], *(text for several in extras for text in several)]
    return {found[0] for text in wanted if (found := _NAME.match(text))}


def explained() -> dict[str, tuple[str, str]]:
    """Package -> (why, licence)."""
    lines = _LINE.findall((ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8"))
    return {name: (why, licence) for name, why, licence in lines if name not in ("package", "---")}


def test_each_dependency_is_explained_and_nothing_else_is() -> None:
    assert named_in_pyproject() == set(explained())


def test_each_explanation_has_a_reason_and_a_licence() -> None:
    assert [
        name for name, (why, licence) in explained().items() if not why.strip(" -") or not licence.strip(" -")
    ] == []
