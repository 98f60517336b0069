"""Rows with the sender's codes -> rows with our words, as the layout says now.

Rules: docs/plan-workbooks.md "Codes". Rows are kept as they were written; a code that no table has makes its
subject wait, and goes on when a local layout has it. An open column's unknown words stay text, under `<fact>_text`.
Refuses: Unmapped, with the layout and its table; Waiting, where the layout is not there any more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.files.layouts import Column, Layout
from adapters.plan.workbook_choice import layouts_of
from adapters.plan.workbook_rows import LAYOUT
from fhir_mappings.plan.workbook_terms import WORDS
from hub.feeds.records import Feed, Kept, Resource, Subject, Unmapped, Waiting

LONGEST, MOST_BLANKS = 24, 3  # of what is a code, or a status in words
Resources = Callable[[Subject, str], Sequence[Resource]]


def with_words(resources: Resources) -> Resources:
    """The mapping, given our words."""
    return lambda subject, patient: resources(worded(subject), patient)


def worded(subject: Subject) -> Subject:
    """Raises Unmapped, Waiting."""
    return replace(subject, rows=[_worded(row, subject.feed) for row in subject.rows])


def _worded(row: Kept, feed: Feed) -> Kept:
    if LAYOUT not in row.values:
        return row
    layout = _layout(str(row.values[LAYOUT]), feed)
    values: dict[str, Any] = dict(row.values)
    for column in layout.columns:
        if column.type == "code" and column.fact in values:
            _tell(values, layout, column, is_gone=row.deleted)
    return replace(row, values=values)


def _tell(values: dict[str, Any], layout: Layout, column: Column, is_gone: bool) -> None:
    said = str(values.pop(column.fact))
    word = layout.means(column, said)
    if word is not None and word in WORDS.get(column.fact, (word,)):
        values[column.fact] = word
    elif column.open:
        values[f"{column.fact}_text"] = said
    elif not is_gone:
        raise Unmapped(f"{layout.name}/{column.codes}", _shown(said), column.header)


def _shown(said: str) -> str:
    """The code, where it looks like one: a sentence may be about somebody."""
    return said if len(said) <= LONGEST and said.count(" ") <= MOST_BLANKS else "(a text)"


def _layout(name: str, feed: Feed) -> Layout:
    try:
        return layouts_of(feed).by_name[name]
    except (KeyError, ValueError, OSError):
        raise Waiting("its layout is not there, or cannot be read") from None


def has_code(feed: Feed, table: str, code: str) -> bool:
    """Whether a layout has a word now that it lacked."""
    name, _, codes = table.partition("/")
    try:
        found: Mapping[str, Mapping[str, str]] = layouts_of(feed).by_name[name].codes
    except (KeyError, ValueError, OSError):
        return False
    return code.strip().lower() in found.get(codes, {})
