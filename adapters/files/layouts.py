"""What a sender's tables look like, as data: sheets, headers with their aliases, codes, dates, the order for
writing.

Rules: docs/layouts.md (printed from the tables). A layout is a TOML file of adapters/<source>/layouts, or of the
folder HUB_LAYOUTS: there one of the same name replaces the shipped one. One that `extends` another, or the shipped
one of its own name, adds to it.
Headers are compared as [a-z0-9] only. Which layout a file has is known by its header, or it is not known at all.
Refuses (ValueError, with the file): a layout with an unknown word, a fact or a header that stands twice, a table of
codes that is not there.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

TYPES = ("text", "date", "past", "period", "integer", "flag", "code", "cin", "npi", "minutes")
SEEN = ("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y", "%Y%m%d")  # dates as text, where a layout says no other
_NOT_WORDS = re.compile("[^a-z0-9]")


def normalised(header: str) -> str:
    """A header without what drifts: case, spaces, punctuation."""
    return _NOT_WORDS.sub("", header.lower())


@dataclass(frozen=True, slots=True)
class Column:
    """`fact` is our name, `header` the sender's as it is written. `codes` names a table of the layout; with
    `open` what no table has stays as text. `written` is false for what is read where it stands and never added."""

    fact: str
    header: str
    aliases: tuple[str, ...] = ()
    type: str = "text"
    codes: str = ""
    required: bool = False
    open: bool = False
    written: bool = True
    longest: int = 500
    unit: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(normalised(name) for name in (self.header, *self.aliases)))


@dataclass(frozen=True, slots=True)
class Layout:
    """`kinds` are words of `hub load`. `key` are the facts that name a row; with `repeats` the same may come
    again in a file and is numbered. `one_of`: of these facts a row has at least one. `codes` are tables
    {theirs: ours}."""

    name: str
    kinds: tuple[str, ...]
    columns: tuple[Column, ...]
    plan: str = ""
    version: str = ""
    evidence: str = ""
    sheets: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    repeats: bool = False
    one_of: tuple[str, ...] = ()
    dates: tuple[str, ...] = SEEN
    writes_date: str = "%m/%d/%Y"
    between: str = "."
    yes: str = "1"
    no: str = "0"
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def column(self, fact: str) -> Column | None:
        return next((one for one in self.columns if one.fact == fact), None)

    def by_header(self) -> Mapping[str, Column]:
        """Columns by every normalised name they have."""
        return {name: one for one in self.columns for name in one.names}

    def fitting(self, headers: Iterable[str]) -> Mapping[str, Column]:
        """The columns of a header, by its texts; of two that mean the same the first."""
        known, found = self.by_header(), dict[str, Column]()
        for header in headers:
            column = known.get(normalised(header))
            if column and column not in found.values():
                found[header] = column
        return found

    def unknown(self, headers: Iterable[str]) -> list[str]:
        fitting = self.fitting(headers := list(headers))
        return [header for header in headers if header and header not in fitting]

    def has_header(self, cells: Sequence[str]) -> bool:
        """Whether a row is this layout's header: all that must be there, and half of its names known."""
        given = [cell for cell in cells if cell]
        found = {column.fact for column in self.fitting(given).values()}
        must = {column.fact for column in self.columns if column.required}
        return bool(found) and must <= found and self._is_enough(found) and 2 * len(found) >= len(given)

    def _is_enough(self, found: set[str]) -> bool:
        return len(found) >= 2 and (not self.one_of or not found.isdisjoint(self.one_of))

    def coverage(self, cells: Sequence[str]) -> tuple[int, int]:
        """How well a header fits, to be compared: columns of it that are known, then written ones that are
        missing."""
        found = {column.fact for column in self.fitting(filter(None, cells)).values()}
        return len(found), -len({column.fact for column in self.columns if column.written} - found)

    def has_sheet(self, sheet: str) -> bool:
        return not self.sheets or normalised(sheet) in map(normalised, self.sheets)

    def is_like_sheet(self, sheet: str) -> bool:
        return any(normalised(one) in normalised(sheet) for one in self.sheets)

    def means(self, column: Column, said: str) -> str | None:
        """Our word for a code of theirs; None where no row of the table says it."""
        return self.codes.get(column.codes, {}).get(said.strip().lower())

    def says(self, column: Column, word: str) -> str | None:
        """Their code for our word: the first row of the table that has it."""
        return next((theirs for theirs, ours in self.codes.get(column.codes, {}).items() if ours == word), None)


@dataclass(frozen=True, slots=True)
class Layouts:
    """All layouts by name."""

    by_name: Mapping[str, Layout]

    @classmethod
    def load(cls, *folders: Path) -> "Layouts":
        """Of these folders, later ones over earlier ones. Raises ValueError."""
        found: Files = defaultdict(list)
        for folder in folders:
            for path in sorted(folder.glob("*.toml")):
                found[path.stem].append((path, _read(path)))
        return cls({name: _layout(found, name, len(files)) for name, files in list(found.items())})

    def of(self, kind: str) -> Iterator[Layout]:
        return (one for _, one in sorted(self.by_name.items()) if kind in one.kinds)


def layouts_in(*folders: Path) -> Layouts:
    """The layouts of folders as they are now; read again when a file changed. Raises ValueError."""
    paths = [path for folder in folders for path in sorted(folder.glob("*.toml"))]
    stamp = tuple((path.stat().st_mtime_ns, path.stat().st_size) for path in paths)
    return _loaded(folders, tuple(paths), stamp)


@lru_cache(maxsize=8)
def _loaded(folders: tuple[Path, ...], paths: tuple[Path, ...], stamp: tuple[tuple[int, int], ...]) -> Layouts:
    return Layouts.load(*folders)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from None


Files = dict[str, list[tuple[Path, dict[str, Any]]]]  # by name, those of later folders behind the others


def _layout(files: Files, name: str, upto: int, above: tuple[str, ...] = ()) -> Layout:
    """The layout of this name by the last of its first files."""
    path, said = files[name][upto - 1]
    try:
        told = dict(said)
        base = _base(files, str(told.pop("extends", "")), name, upto, above)
        columns = tuple(_column(one) for one in told.pop("column", ()))
        codes = {table: _codes(rows) for table, rows in told.pop("codes", {}).items()}
        more = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}
        layout = Layout(**{**_joined(base, columns, codes), **more, "name": name})
        _check(layout)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    return layout


def _base(files: Files, extends: str, name: str, upto: int, above: tuple[str, ...]) -> Layout | None:
    """What a layout adds to: another one, or that of its own name in a folder before."""
    if not extends:
        return None
    if extends == name:
        if upto < 2:
            raise ValueError("extends itself, and no folder before has it")
        return _layout(files, name, upto - 1, above)
    if extends not in files or extends in (*above, name):
        raise ValueError(f"extends {extends}, which is not there or extends it")
    return _layout(files, extends, len(files[extends]), (*above, name))


def _joined(base: Layout | None, columns: Sequence[Column], codes: Mapping[str, Any]) -> dict[str, Any]:
    """A column of the same fact takes the place of the base's; a table of the same name gets its rows first."""
    if base is None:
        return {"columns": tuple(columns), "codes": codes}
    own = {one.fact: one for one in columns}
    theirs = [own.pop(one.fact, one) for one in base.columns]
    tables = {name: {**codes.get(name, {}), **base.codes.get(name, {}), **codes.get(name, {})}
              for name in {*base.codes, *codes}}  # fmt: skip
    made = {each.name: getattr(base, each.name) for each in fields(Layout)}
    return {**made, "columns": (*theirs, *own.values()), "codes": tables}


def _column(said: Mapping[str, Any]) -> Column:
    return Column(**{**said, "aliases": tuple(said.get("aliases", ()))})


def _codes(rows: Mapping[str, str]) -> dict[str, str]:
    if strangers := [theirs for theirs, ours in rows.items() if not isinstance(ours, str)]:
        raise ValueError(f"the word for code {strangers[0]} is a text")
    return {theirs.strip().lower(): ours for theirs, ours in rows.items()}


def _check(layout: Layout) -> None:
    """Raises ValueError."""
    facts = [one.fact for one in layout.columns]
    headers = [name for one in layout.columns for name in one.names]
    for what, every in (("fact", facts), ("header", headers)):
        if twice := {one for one in every if every.count(one) > 1}:
            raise ValueError(f"{what} {min(twice)} stands twice")
    for one in layout.columns:
        if one.type not in TYPES:
            raise ValueError(f"column {one.fact}: no type {one.type}")
        if (one.type == "code") != bool(one.codes) or (one.codes and one.codes not in layout.codes):
            raise ValueError(f"column {one.fact}: its table of codes is not there")
    if strangers := {*layout.key, *layout.one_of} - {*facts}:
        raise ValueError(f"key or one_of names {min(strangers)}, which no column has")
