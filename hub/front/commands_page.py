"""docs/cli.md, printed from the commands themselves: `python -m hub.front.commands_page > docs/cli.md`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hub.front.commands import command_line

HEAD = """# The command `hub`

Every command with all that it takes. This page is printed from the commands themselves
(`python -m hub.front.commands_page > docs/cli.md`); `hub COMMAND --help` says the same. Settings come from the
environment: [settings.md](settings.md). What to do when something waits or fails: [runbook.md](runbook.md).

Whoever runs commands has the database: what a command changes is recorded under the name of the operating system's
user ([audit.md](audit.md)).
"""
KINDS = {int: "NUMBER", float: "NUMBER", Path: "PATH"}  # everything else is TEXT


def page() -> str:
    from typer.main import get_command

    hub = get_command(command_line())
    top = [line for name, one in sorted(_commands(hub)) for line in _told(f"hub {name}", one, level=2)]
    return HEAD + "".join(top)


def _commands(group: Any) -> list[tuple[str, Any]]:
    """The commands of a group by name; none of a single command, none that are hidden."""
    return [(name, one) for name, one in getattr(group, "commands", {}).items() if not one.hidden]


def _told(path: str, command: Any, level: int) -> Iterator[str]:
    yield f"\n{'#' * level} {path}\n"
    yield from (f"\n{_paragraph(text)}\n" for text in (command.help or "").split("\n\n"))
    inner = _commands(command)
    if not inner:
        yield from _usage(path, [each for each in command.params if not each.hidden])
    for name, one in inner:
        yield from _told(f"{path} {name}", one, level + 1)


def _usage(path: str, takes: list[Any]) -> Iterator[str]:
    arguments = [each for each in takes if each.param_type_name == "argument"]
    options = [each for each in takes if each.param_type_name != "argument"]
    words = [path, *map(_argument, arguments), *(_option(each) for each in options if each.required)]
    words += ["[OPTIONS]"] if any(not each.required for each in options) else []
    yield f"\n    {' '.join(words)}\n"
    if takes:
        yield "\n| | |\n| --- | --- |\n"
        yield from (f"| `{_argument(each)}` | {_text(each.help)}{_default(each)} |\n" for each in arguments)
        yield from (f"| `{_option(each)}` | {_text(each.help)}{_default(each)} |\n" for each in options)


def _argument(taken: Any) -> str:
    name = (taken.metavar or taken.name).upper().replace("_", "-")
    name += "..." if taken.nargs == -1 else ""
    return name if taken.required else f"[{name}]"


def _option(taken: Any) -> str:
    """`--name TEXT`; of a flag also what switches it off; with `...` where it may come several times."""
    names = " / ".join([*taken.opts, *taken.secondary_opts])
    kind = "" if taken.is_flag else " " + KINDS.get(taken.type_descriptor.annotation, "TEXT")
    return names + kind + ("..." if taken.multiple else "")


def _default(taken: Any) -> str:
    return "" if taken.default in (None, False, "", [], ()) else f" Default: `{taken.default}`."


def _paragraph(text: str) -> str:
    """An example, which begins with the command, is shown as code."""
    return f"    {' '.join(text.split())}" if text.startswith("hub ") else _text(text)


def _text(help: str | None) -> str:
    return " ".join((help or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
