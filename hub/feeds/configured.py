"""The feeds of a deployment: a TOML file, a table a feed.

    [feeds.example-plan]
    kind = "plan-834"                      # a word of `hub load`
    system = "https://plan.example/feed"   # whose numbers these are; default: the hub's own, one a source
    organization = "Organization/example"  # the sender, as the hub knows it
    security = ["42CFRPart2"]              # labels of all it brings: codes of v3-ActCode, or tables system, code
    mode = "rows"                          # or "atomic": a bad row, and nothing is taken
    layout = ""                            # by name, where a kind has several
    bad_percent = 20                       # more bad rows than that: nothing is taken
    gone_percent = 20                      # a full file that leaves out more waits for a person; so many it may
    gone_few = 5                           # leave out in any case
    dated = "status-%Y-%m-%d"              # how a file's name says its date, as strptime writes it
    latest = "said"                        # or "arrived": of two sayings the one that came later counts
    clients = ["example-plan-client"]      # who may upload it (docs/feeds.md)
    sends_to = ["example-plan-client"]     # to whom its files go; default: clients, and who speaks for organization
    folder = { ... }                       # or sftp = { ... }: docs/files.md

What else stands there goes to the kind as options. A kind has a feed of its own name without any configuration,
for `hub load`.
Refuses (CannotStart): another kind, a key that is no text, clients that are no list, a number that cannot
be, a file that is no TOML.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.feeds import moments
from hub.feeds.kinds import FileKind
from hub.feeds.records import Coding, Feed
from hub.fhir.systems import ACT_CODE, OWN
from hub.problems import CannotStart

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
MODES = ("rows", "atomic")
LATEST = ("said", "arrived")
_LISTS = ("clients", "sends_to")
_NUMBERS = {"bad_percent": 100, "gone_percent": 100, "gone_few": 1_000_000_000}
_OWN_KEYS = ("kind", "system", "organization", "security", "mode", "layout", "time_zone", "dated", "latest")


def feeds(path: Path, kinds: Mapping[str, FileKind], common: Mapping[str, Any]) -> dict[str, Feed]:
    """By name. `common` are options of all of them. Raises CannotStart."""
    own = {name: Feed(name, name, default_system(kind), options=dict(common)) for name, kind in kinds.items()}
    return {**own, **{name: _feed(name, table, kinds, common) for name, table in _tables(path).items()}}


def default_system(kind: FileKind) -> str:
    """One a source: its kinds of files name the same persons."""
    return f"{OWN}feed/{kind.source.replace('_', '-')}"


def _tables(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("feeds", {})
    except (OSError, ValueError) as error:
        raise CannotStart(f"The file of feeds cannot be read: {type(error).__name__}") from None
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise CannotStart("The file of feeds has a table [feeds.NAME] for each feed")
    return found


def _feed(name: str, table: Mapping[str, Any], kinds: Mapping[str, FileKind], common: Mapping[str, Any]) -> Feed:
    kind = kinds.get(str(table.get("kind")))
    if not NAME.fullmatch(name) or kind is None:
        raise CannotStart(
            f"Feed {name[:64]!r}: a name of a-z, 0-9, . and -, and a kind of {', '.join(sorted(kinds))}"
        )
    _check_lists(name, table)
    _check_numbers(name, table)
    return Feed(
        name,
        kind.name,
        _text(name, table, "system") or default_system(kind),
        _text(name, table, "layout"),
        _word(name, table, "mode", MODES) == "atomic",
        _text(name, table, "organization"),
        tuple(_label(name, one) for one in table.get("security", ())),
        _text(name, table, "time_zone") or "America/Los_Angeles",
        {**common, **{key: value for key, value in table.items() if key not in _OWN_KEYS}},
        _form(name, table),
        _word(name, table, "latest", LATEST) == "arrived",
    )


def _word(name: str, table: Mapping[str, Any], key: str, words: tuple[str, str]) -> str:
    """The first one where nothing is said."""
    found = table.get(key, words[0])
    if found not in words:
        raise CannotStart(f"Feed {name}: {key} is {' or '.join(words)}")
    return str(found)


def _check_lists(name: str, table: Mapping[str, Any]) -> None:
    """A text would name whoever is a part of it."""
    for key in _LISTS:
        found = table.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise CannotStart(f"Feed {name}: {key} is a list of clients")


def _check_numbers(name: str, table: Mapping[str, Any]) -> None:
    for key, most in _NUMBERS.items():
        found = table.get(key, 0)
        if type(found) is not int or not 0 <= found <= most:
            raise CannotStart(f"Feed {name}: {key} is a number from 0 to {most}")


def _form(name: str, table: Mapping[str, Any]) -> str:
    form = _text(name, table, "dated")
    try:
        moments.check(form)
    except ValueError:
        raise CannotStart(f"Feed {name}: dated has %Y or %y, and %m; %d, %H, %M and %S if there are any") from None
    return form


def _text(name: str, table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise CannotStart(f"Feed {name}: {key} is a text")
    return value


def _label(name: str, one: Any) -> Coding:
    if isinstance(one, str):
        return {"system": ACT_CODE, "code": one}
    if isinstance(one, dict) and {"system", "code"} == one.keys():
        return dict(one)
    raise CannotStart(f"Feed {name}: security lists codes, or tables with system and code")
