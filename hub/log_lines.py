"""Log lines of a process: as text, or one JSON object a line where HUB_LOG_FORMAT says so.

A JSON line has `time` (UTC, RFC 3339), `level`, `logger`, `role` and `pid` of the process, `message`, and `trace`
where the line belongs to one (hub.tracing). An error that goes along is told by its kind and place, never by its
text: that may quote what somebody sent. Line ends in a message are escaped, so no message looks like another line.
Messages themselves name no person: docs/runbook.md "Log lines", and the tests that send canaries.
"""

import json
import logging
import os
from datetime import UTC, datetime
from typing import Any

from hub import tracing

TEXT, JSON = "text", "json"
LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"
OURS = ("hub", "auth", "adapters")
_form = TEXT


class JsonLines(logging.Formatter):
    """`role` says which process it is: first, web, inbox, command."""

    def __init__(self, role: str):
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Any] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "role": self._role,
            "pid": os.getpid(),
            "message": record.getMessage(),
        }
        if trace := tracing.current_id():
            told["trace"] = trace
        if record.exc_info and record.exc_info[0] is not None:
            told["error"] = _placed(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def _placed(error: Any) -> str:
    kind, _, frame = error
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{kind.__name__} at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else kind.__name__


def begin(form: str, level: str, role: str) -> None:
    """Lines of this process go to stderr; a second call changes nothing but the level."""
    global _form
    _form = form
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(role) if form == JSON else logging.Formatter(LINE))
    logging.basicConfig(handlers=[handler])
    if form == JSON:
        logging.captureWarnings(True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)


def of_the_server() -> dict[str, Any] | None:
    """For granian, which else has a format of its own: what it says goes the way of all lines."""
    if _form != JSON:
        return None
    own = {"handlers": [], "level": "WARNING", "propagate": True}
    return {"loggers": {"_granian": dict(own), "granian.access": dict(own)}}
