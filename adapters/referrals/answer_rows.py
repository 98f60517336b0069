"""referral-answers: what a provider without FHIR answers, a line an answer.

Columns: task (the number that the hub gave: Task/ID, or its ID), answer (accept, decline, start, wait, resume,
complete, fail), reason, done (what was done), day (on which it was so). Rules: docs/referrals.md "Answers by
file". Another layout is said by the feed: `columns` = {theirs: ours}, `words` = {column: {theirs: ours}}, `dates`.
Refuses: a feed without an organization (UNSUPPORTED: whose answers would these be?), a row without number, answer
or day, a number that is none, a day to come.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marshmallow import Schema, fields, validate

from adapters.files.archives import safe_members
from adapters.files.cells import Day
from adapters.files.columns import Columns
from adapters.files.spreadsheet_out import as_said
from adapters.files.tables import Look, csv_lines
from hub.feeds.records import Feed, Given, Reject, Row
from hub.referrals.answer_words import ANSWERS

KIND = "answer"
WHOSE = "The feed names no organization: whose answers these are nobody can tell."
_ID = validate.Regexp(r"(Task/)?[A-Za-z0-9.-]{1,64}\Z")
_TEXT = validate.Length(max=500)

_Columns: Mapping[str, Any] = {
    "task": fields.String(required=True, validate=_ID),
    "answer": fields.String(required=True, validate=validate.OneOf(tuple(ANSWERS))),
    "reason": fields.String(required=True, allow_none=True, validate=_TEXT),
    "done": fields.String(required=True, allow_none=True, validate=_TEXT),
    "day": Day(required=True),
}
Answer = Schema.from_dict(dict(_Columns), name="ReferralAnswer")


def read_answers(path: Path, feed: Feed) -> Iterator[Given]:
    """The answers of a file, or of a ZIP of files; raises nothing."""
    if not feed.organization:
        yield Reject("UNSUPPORTED", what=WHOSE, whole=True)
        return
    options = feed.options
    columns = Columns(
        Answer, options.get("columns", {}), codes=options.get("words", {}), dates=tuple(options.get("dates", ()))
    )
    for member in safe_members(path):
        if isinstance(member, Reject):
            yield member
            continue
        with member.open() as stream:
            for found in columns.rows(csv_lines(stream, look=Look(columns.knows, columns.header))):
                yield found if isinstance(found, Reject) else _row(found[1], found[0].number)


def _row(values: Mapping[str, Any], line: int) -> Row:
    task = values["task"].removeprefix("Task/")
    said = {name: as_said(value) for name, value in values.items()} | {"task": task}
    return Row(KIND, f"{task}|{said['answer']}|{said['day']}", task, said, line)
