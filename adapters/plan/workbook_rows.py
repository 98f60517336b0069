"""A plan's or provider's table -> rows: what each says of a member, whose panel it is, who leads the care.

Rules: docs/plan-workbooks.md; columns as the layout has them.
- A row is known by the facts that its layout calls the key, and by the member: CIN, else the plan's record number.
- A member's rows are one subject. The panel of a provider is another one, as each care manager is.
- A row is as of its production date, where its layout has one.
- Only a feed with `list = "whole"` says of members whom its file does not name that they are gone; and not where
  a row was rejected: it may be the one that names them.
Refuses: what layout_columns refuses; a CIN outside of the letters that are issued is a warning.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from adapters.files.columns import MORE
from adapters.files.layout_columns import columns_of
from adapters.files.layouts import Layout
from adapters.files.lines import Look
from adapters.plan.workbook_choice import Choice, choice, lines_of
from fhir_mappings.plan.workbook_keys import lead_key, member_key, provider_key
from hub.feeds.records import ABOUT, DIRECTORY, ERROR, PERSON, WARNING, AsOf, Feed, Given, Reject, Row, Whole

ISSUED = re.compile(r"9\d{7}[ACDEFGHMNT-Z]", re.ASCII)  # the letters that counties are told of
PRODUCED = "production_date"  # the fact that says as of when a row is
LAYOUT = "_layout"  # of a row's values: the layout it was read by
NOT_WHOLE = Reject("NOT_WHOLE", what="Rows were rejected: nobody is taken to be gone.", severity=WARNING)
PANELS = ("mif", "eligibility")  # kinds whose members are the panel of the feed's provider
LEADS = ("mif", "rtf", "eligibility", "activity")
Values = Mapping[str, Any]


def reader(kind: str) -> Callable[[Path, Feed], Iterator[Given]]:
    """The reader of a kind of files."""

    def read(path: Path, feed: Feed) -> Iterator[Given]:
        chosen = choice(path, kind, feed)
        if isinstance(chosen, Reject):
            yield chosen
        else:
            yield from _Reading(kind, feed, chosen).given(path)

    return read


@dataclass(slots=True)
class _Reading:
    """One file. `times` counts the rows of one key where a layout allows several."""

    kind: str
    feed: Feed
    chosen: Choice
    leads: set[str] = field(default_factory=set)
    panels: set[str] = field(default_factory=set)
    times: Counter[bytes] = field(default_factory=Counter)
    made: str = ""

    @property
    def layout(self) -> Layout:
        return self.chosen.layout

    def given(self, path: Path) -> Iterator[Given]:
        columns = columns_of(self.layout)
        look = Look(
            self.layout.has_header, lambda names: map(_twice, columns.header(names)), repeats=True, ragged=True
        )
        refused = faulty = False
        for one in columns.rows(lines_of(path, self.chosen.sheet, look)):
            if isinstance(one, Reject):
                refused |= one.whole
                faulty |= one.severity == ERROR
                yield replace(one, part=self.chosen.sheet)
                continue
            for given in self._rows(one[1], one[0].number):
                faulty |= isinstance(given, Reject) and given.severity == ERROR
                yield given
        if not refused and self.feed.options.get("list") == "whole":
            yield NOT_WHOLE if faulty else Whole(frozenset((self.kind, "panel")))

    def _rows(self, values: dict[str, Any], line: int) -> Iterator[Given]:
        if values.get("cin") and not ISSUED.fullmatch(values["cin"]):
            column = self.layout.column("cin")
            what = "The CIN has a first digit or letter that is not issued; is it right?"
            header = column.header if column else ""
            yield Reject("IDENTIFIER", line, header, what, self.chosen.sheet, WARNING)
        yield from self._as_of(values)
        member = member_key(values)
        if not values.get(MORE):
            values.pop(MORE, None)
        values[LAYOUT] = self.layout.name
        yield self._row(self.kind, self._key(values), member, values, line, PERSON)
        yield from self._panel(member, values, line)
        yield from self._lead(values, line)

    def _as_of(self, values: Values) -> Iterator[AsOf]:
        """The day on which the row's file was made, where the layout has it and the row says it."""
        made = str(values.get(PRODUCED, ""))
        if made and made != self.made:
            self.made = made
            yield AsOf(made)

    def _row(self, kind: str, key: str, subject: str, values: Values, line: int, stage: int) -> Row:
        return Row(kind, key, subject, values, line, stage, self.chosen.sheet)

    def _key(self, values: Values) -> str:
        """The facts of the key; of several rows with the same, the second has a 2 behind it."""
        key = "|".join(str(values.get(fact, "")) for fact in self.layout.key)
        if not self.layout.repeats:
            return key
        short = blake2b(key.encode(), digest_size=8).digest()
        self.times[short] += 1
        return f"{key}|{self.times[short]}" if self.times[short] > 1 else key

    def _panel(self, member: str, values: Values, line: int) -> Iterator[Row]:
        provider = provider_key(values, self.feed)
        key = f"{provider}|{member}"
        if self.kind in PANELS and provider and key not in self.panels:
            self.panels.add(key)
            told = {name: values[name] for name in (*_PANEL, "provider_npi", "provider_name") if values.get(name)}
            yield self._row("panel", key, f"panel/{provider}", told, line, ABOUT)

    def _lead(self, values: Values, line: int) -> Iterator[Row]:
        key = lead_key(values)
        if key and self.kind in LEADS and key not in self.leads:
            self.leads.add(key)
            told = {name: values[name] for name in ("lead_name", "lead_phone", "lead_email") if values.get(name)}
            yield self._row("lead", key, f"lead/{key}", told, line, DIRECTORY)


_PANEL = ("cin", "mrn", "start", "end", "authorization_start", "authorization_end")


def _twice(reject: Reject) -> Reject:
    """Two columns that mean the same do not stop a file: the last one that says something counts."""
    return replace(reject, severity=WARNING, whole=False) if reject.code == "HEADER_REPEATED" else reject
