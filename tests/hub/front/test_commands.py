"""The command `hub` loads the rooms that it needs, and says what there is where it knows no such command."""

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from hub.front.commands import ROOMS, command_line
from hub.front.parts import VERSION

EVERY = {name for names in ROOMS for name in names}


def names_of(first: str) -> set[str]:
    return set(getattr(get_command(command_line(first)), "commands", {}))


@pytest.mark.parametrize("names", ROOMS, ids="-".join)
def test_a_room_brings_the_commands_that_it_is_asked_for(
    names: tuple[str, ...],
) -> None:
    for name in names:
        assert names_of(name) == set(names)


@pytest.mark.parametrize("first", ["", "--help", "nonsense"])
def test_who_names_no_command_is_shown_all(first: str) -> None:
    assert names_of(first) == EVERY


def test_a_command_that_is_alone_has_its_name_all_the_same() -> None:
    told = CliRunner().invoke(command_line("version"), ["version"])
    assert (told.exit_code, told.stdout) == (0, f"{VERSION}\n")
