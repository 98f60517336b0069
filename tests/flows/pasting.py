"""Pages that are run as a reader would paste them: their `sh` blocks in order, in one bash, against a real hub.

A line `# → text` must appear in what the commands above it print (`…` is anything).
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.flows.hub_process import ROOT

MARK = "=== step "
SECONDS = 120
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """Commands, and what their output must show. `line` is where the commands begin on the page."""

    line: int
    commands: str
    expected: tuple[str, ...]


def steps(page: str) -> Iterator[Step]:
    """The steps of all `sh` blocks, in order; a step ends behind its last `# →`."""
    for block in _BLOCK.finditer(page):
        commands: list[str] = []
        expected: list[str] = []
        first = line = page[: block.start(1)].count("\n") + 1
        for line, text in enumerate(block[1].splitlines(), first):
            if text.startswith("# → "):
                expected.append(text.removeprefix("# → "))
                continue
            if expected:
                yield Step(first, "\n".join(commands), tuple(expected))
                commands, expected, first = [], [], line
            commands.append(text)
        yield Step(first, "\n".join(commands), tuple(expected))


def script(todo: list[Step], before: str = "") -> str:
    """One bash script; a mark before each step, so that its output can be told from the others'."""
    parts = (f"printf '\\n%s%s\\n' '{MARK}' {number}\n{step.commands}\n" for number, step in enumerate(todo))
    return f"set -e\n{before}" + "".join(parts)


def run(text: str, environment: dict[str, str]) -> str:
    """What the script printed, errors among it. Fails where a command fails or nothing happens any more."""
    bash = subprocess.Popen(
        ["bash", "-c", text],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    try:
        output, _ = bash.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(bash.pid, signal.SIGKILL)
        output, _ = bash.communicate()
        pytest.fail(f"not at its end after {SECONDS} s; the last it said:\n{output[-3000:]}")
    assert bash.returncode == 0, f"a command failed:\n{output[-3000:]}"
    return output


def pattern(expected: str) -> str:
    return ".*".join(re.escape(part.strip()) for part in expected.split("…"))


def hold(todo: list[Step], output: str) -> None:
    """Every expected text is in the output of its step."""
    printed = re.split(rf"^{MARK}\d+$", output, flags=re.MULTILINE)[1:]
    assert len(printed) == len(todo)
    for step, found in zip(todo, printed, strict=True):
        for text in step.expected:
            assert re.search(pattern(text), found), f"line {step.line}: {text!r} is not in:\n{found}"
