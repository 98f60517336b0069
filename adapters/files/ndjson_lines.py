"""NDJSON -> lines: one JSON object a line.

Rules: https://hl7.org/fhir/R4/nd-json.html (UTF-8, a newline after each object, none within).
Numbers with a point are Decimals: 72.50 stays 72.50.
Refuses: lines that are no JSON object, no UTF-8, or too long; an empty file. Empty lines are passed over.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO

import msgspec

from adapters.files.lines import Line, empty
from hub.feeds.records import Reject

LONGEST = 4 << 20  # bytes of a line
_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


def ndjson_lines(stream: BinaryIO) -> Iterator[Line | Reject]:
    """The objects as Line.cells."""
    found = False
    for number, raw in enumerate(_raw(stream), 1):
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if raw.strip():
            found = True
            yield _line(number, raw)
    if not found:
        yield empty()


def _raw(stream: BinaryIO) -> Iterator[bytes]:
    """Lines; of one that is too long, its beginning."""
    while raw := stream.readline(LONGEST + 1):
        more = raw
        while len(more) > LONGEST and not more.endswith(b"\n"):
            more = stream.readline(LONGEST + 1)
        yield raw


def _line(number: int, raw: bytes) -> Line | Reject:
    if len(raw) > LONGEST:
        return Reject("FIELD_TOO_LONG", number, what=f"The line has more than {LONGEST} bytes.")
    try:
        return Line(number, _decoder.decode(raw.decode()))
    except UnicodeDecodeError as error:
        return Reject("ENCODING", number, what=f"Byte {error.start + 1} of the line is no UTF-8.")
    except (msgspec.DecodeError, RecursionError):
        return Reject("TYPE", number, what="The line is no JSON object.")
