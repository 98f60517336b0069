"""`hub doctor`: what is wrong, in the order in which a person should look, and which page says what to do.

A table of checks (hub.monitoring.checks); each says what it found and how bad it is. Exit code 1 where something
fails, 0 with warnings alone. Nothing is changed, no content is shown.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import typer

from hub.problems import Problem

OK, WARN, FAIL = "ok", "warn", "FAIL"
LINE = "{:<5} {:<14} {}"


@dataclass(frozen=True, slots=True)
class Finding:
    """`todo` names the section of docs/runbook.md, where something is to be done."""

    level: str
    text: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    look: Callable[[], Iterable[Finding]]


def examined(checks: Iterable[Check]) -> list[tuple[str, Finding]]:
    """Every check's findings; one that cannot look is a failure itself."""
    found = []
    for check in checks:
        try:
            found += [(check.name, finding) for finding in check.look()]
        except (Problem, OSError) as error:
            found.append((check.name, Finding(FAIL, f"cannot be asked: {error}")))
    return found


def add_doctor(app: typer.Typer, checks: Callable[[], Iterable[Check]]) -> None:
    @app.command()
    def doctor() -> None:
        """Look whether all is well: database, disk, clocks, certificates, stuck work. Changes nothing."""
        found = examined(checks())
        for name, finding in found:
            todo = f"  -> docs/runbook.md, {finding.todo}" if finding.todo else ""
            typer.echo(LINE.format(finding.level, name, finding.text + todo))
        if any(finding.level == FAIL for _, finding in found):
            raise typer.Exit(1)
