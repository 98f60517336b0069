"""JSON lines: one object a line whatever a message holds, and an error without its text."""

import json
import logging
import sys
from typing import Any

import pytest

from hub import tracing
from hub.log_lines import JsonLines
from hub.settings import SettingsError, read_settings

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def line(message: str, *values: object, exc_info: Any = None) -> dict[str, Any]:
    record = logging.LogRecord("hub.x", logging.WARNING, "x.py", 1, message, values, exc_info)
    record.created = 1_795_435_200.25
    text = JsonLines("web").format(record)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_says_when_and_who() -> None:
    told = line("message %s waits", 7)
    assert told.pop("pid") > 0
    assert told == {
        "time": "2026-11-23T12:00:00.250Z",
        "level": "WARNING",
        "logger": "hub.x",
        "role": "web",
        "message": "message 7 waits",
    }


def test_no_message_looks_like_another_line() -> None:
    assert line('one\n{"level": "ERROR"}\u2028')["message"] == 'one\n{"level": "ERROR"}\u2028'


def test_a_line_has_the_trace_that_it_belongs_to() -> None:
    with tracing.within(TRACE):
        assert line("x")["trace"] == TRACE[3:35]
    assert "trace" not in line("x")


def test_an_error_is_told_by_kind_and_place_alone() -> None:
    try:
        raise ValueError("Testperson-Alder")
    except ValueError:
        told = line("failed", exc_info=sys.exc_info())
    assert told["error"].startswith(f"ValueError at {__file__}:")
    assert "Testperson" not in json.dumps(told)


def test_another_format_is_refused() -> None:
    with pytest.raises(SettingsError, match="HUB_LOG_FORMAT"):
        read_settings({"HUB_LOG_FORMAT": "xml"})
