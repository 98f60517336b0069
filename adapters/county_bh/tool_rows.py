"""Completed tools of a county, one JSON object a line, with the PDF in it where there is one.

Rules: docs/county-bh.md "Tools": the form of the lines is the hub's own, as the tools are PDF forms. The
questionnaires that the deployment described come first, as rows of their own.
Refuses: lines without client, number, tool and day; a PDF that is none, or too large; answers that are no texts,
numbers or yes and no. `questionnaires` of the feed that are no tools or no items.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

from adapters.county_bh.cells import Word, YesNo, text
from adapters.county_bh.reading import in_part, key_of, part_of
from adapters.files.archives import safe_members
from adapters.files.cells import Day, Refused
from adapters.files.lines import Line
from adapters.files.tables import ndjson_lines
from fhir_mappings.county_bh.tools import QUESTIONNAIRE, TOOLS
from hub.feeds.records import ABOUT, DIRECTORY, Feed, Given, Reject, Row

KIND = "tool"
MOST_PDF = 2 << 20  # bytes
MOST_ANSWERS = 300


class Pdf(fields.Field[str]):
    """Base64 of a PDF."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        try:
            content = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise Refused("TYPE", "The pdf is base64.") from None
        if not content.startswith(b"%PDF-"):
            raise Refused("TYPE", "The pdf must be a PDF.")
        if len(content) > MOST_PDF:
            raise Refused("LENGTH", f"The pdf has more than {MOST_PDF} bytes.")
        return base64.b64encode(content).decode()


class Answers(fields.Field[dict[str, Any]]):
    """{linkId: text, whole number, true or false, or a list of these}."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > MOST_ANSWERS or not all(map(_is_answer, value.items())):
            raise Refused("TYPE", "The answers are texts, whole numbers, true or false, under their linkIds.")
        return value


class ToolSchema(Schema):
    class Meta:
        unknown = RAISE

    tool = Word(tuple(TOOLS), required=True)
    tool_id = text(64, required=True)
    county_client_number = text(64, required=True)
    completed_on = Day(required=True)
    answers = Answers()
    pdf = Pdf()
    part2_program = YesNo()
    deleted = fields.Boolean(truthy={True}, falsy={False})


_SCHEMA = ToolSchema()


def read_tools(path: Path, feed: Feed) -> Iterator[Given]:
    yield from _questionnaires(feed)
    for member in safe_members(path):
        if isinstance(member, Reject):
            yield member
            continue
        with member.open() as stream:
            for line in ndjson_lines(stream):
                yield from _given(line, part_of(member, path))


def _questionnaires(feed: Feed) -> Iterator[Given]:
    for tool, said in sorted(feed.options.get("questionnaires", {}).items()):
        if tool not in TOOLS or not isinstance(said, Mapping) or not isinstance(said.get("item", []), list):
            yield Reject("UNSUPPORTED", column="questionnaires", what="The feed describes a tool that is none.")
            continue
        yield Row(QUESTIONNAIRE, tool, f"{QUESTIONNAIRE}:{tool}", {**said, "tool": tool}, 0, DIRECTORY)


def _given(line: Line | Reject, part: str) -> Iterator[Given]:
    if isinstance(line, Reject):
        yield in_part(line, part)
        return
    try:
        values = _SCHEMA.load(dict(line.cells))
    except ValidationError as error:
        yield from (in_part(one, part) for one in _rejects(line, error))
        return
    deleted = values.pop("deleted", False)
    values["completed_on"] = values["completed_on"].isoformat()
    client, number = values["county_client_number"], values["tool_id"]
    key = key_of(client, number)
    yield Row(KIND, key, f"{KIND}:{key}", values, line.number, ABOUT, part, deleted)


def _rejects(line: Line, error: ValidationError) -> Iterator[Reject]:
    for name, messages in error.messages_dict.items():
        known = name in _SCHEMA.fields
        missing = known and name not in line.cells
        code = "REQUIRED" if missing else _code(name, line.cells[name]) if known else "HEADER_UNKNOWN"
        what = str(messages[0]) if known else "The line has a member that is not known."
        yield Reject(code, line.number, name if known else "", what)


def _code(name: str, value: Any) -> str:
    """What the field itself says that is wrong."""
    try:
        _SCHEMA.fields[name].deserialize(value)
    except Refused as refused:
        return refused.code
    except ValidationError:
        return "LENGTH" if isinstance(value, str) else "TYPE"
    return "TYPE"


def _is_answer(item: tuple[Any, Any]) -> bool:
    link, answer = item
    several = answer if isinstance(answer, list) else [answer]
    return (
        bool(link)
        and len(link) <= 255
        and bool(several)
        and all(isinstance(one, (str, int)) and one != "" for one in several)
    )
