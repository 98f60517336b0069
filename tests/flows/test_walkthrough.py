"""docs/walkthrough.md is run as a reader would paste it: its `sh` blocks in order, in one bash, against a real hub.

A line `# → text` must appear in what the commands above it print (`…` is anything). So must the README's commands.
"""

import os
from collections.abc import Iterator

import pytest

from tests.flows.hub_process import ROOT, HubProcess, free_port, running
from tests.flows.pasting import hold, run, script, steps
from tests.flows.quick_commands import commands

WALKTHROUGH = ROOT / "docs" / "walkthrough.md"
README = ROOT / "README.md"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HubProcess, dict[str, str]]]:
    """A hub with a small demo county, and the environment that tells the pages where it is."""
    receiver = f"127.0.0.1:{free_port()}"
    with running(tmp_path_factory.mktemp("hub"), HUB_WEBHOOK_HOSTS=receiver) as found:
        found.command("demo", "--members", "3")
        yield found, found.environment | {"HUB_BASE_URL": found.base, "RECEIVER": receiver}


def test_the_walkthrough_does_what_it_says(hub: tuple[HubProcess, dict[str, str]]) -> None:
    todo = list(steps(WALKTHROUGH.read_text(encoding="utf-8")))
    assert sum(len(step.expected) for step in todo) > 20
    with commands(hub[0].folder) as before:
        hold(todo, run(script(todo, before), hub[1]))


def test_the_commands_of_the_readme_work(hub: tuple[HubProcess, dict[str, str]]) -> None:
    """With this hub's address and folder instead of those that `make run` chooses."""
    page = README.read_text(encoding="utf-8")
    here = page.replace("http://127.0.0.1:8080", hub[0].base).replace("var/", f"{hub[0].folder}/")
    todo = [step for step in steps(here) if step.expected]
    assert len(todo) >= 3
    hold(todo, run(script(todo), hub[1]))


def test_a_step_that_prints_something_else_fails() -> None:
    todo = list(steps("```sh\necho one two\n# → one … two\necho three\n# → four\n```\n"))
    assert [step.expected for step in todo] == [("one … two",), ("four",)]
    with pytest.raises(AssertionError, match="line 4: 'four'"):
        hold(todo, run(script(todo), dict(os.environ)))


def test_a_command_that_fails_fails_the_page() -> None:
    todo = list(steps("```sh\nfalse\necho never\n```\n"))
    with pytest.raises(AssertionError, match="a command failed"):
        run(script(todo), dict(os.environ))
