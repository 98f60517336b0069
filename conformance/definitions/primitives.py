r"""The primitive types as JSON Schemas, with the value rules of R4 as regular expressions.

Rules: https://hl7.org/fhir/R4/datatypes.html#primitive. Differences from the printed expressions, each on purpose:
- calendar: 2026-02-30 has no day, so the months have their lengths and only leap years have 29 February;
- a control character other than TAB, LF, CR is refused in every string, as the text (not the regex) says;
- U+FFFE and U+FFFF are refused with them: no character has these numbers, and XML 1.0 (2.2) cannot say them;
- no-break space and its like are allowed in a string: "[ \r\n\t\S]" was not written to forbid them;
- base64 keeps its padding rule (RFC 4648 section 4), with white space allowed between groups.
The regex engine is linear in the length of the text, so none of them can be made slow by its input.
"""

from typing import Any

Schema = dict[str, Any]

MAX_STRING = 1024 * 1024  # https://hl7.org/fhir/R4/datatypes.html#string
_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff"
VISIBLE = r"[^\s\x00-\x1f\ufffe\uffff]"
ID = r"[A-Za-z0-9.\-]{1,64}"

_YEAR = r"(?:[0-9](?:[0-9](?:[0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_LEAP_YEAR = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_MONTH_DAY = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DAY = rf"(?:{_YEAR}-{_MONTH_DAY}|{_LEAP_YEAR}-02-29)"
_MONTH = rf"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_OFFSET = r"(?:Z|[+\-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"


def text(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _long_text(pattern: str) -> Schema:
    return {**text(pattern), "maxLength": MAX_STRING}


def _whole(minimum: int) -> Schema:
    # "integer" also takes 1.0, which is not an integer in FHIR: the keyword is in conformance.validation
    return {"type": "integer", "minimum": minimum, "maximum": 2**31 - 1, "integerLiteral": True}


PRIMITIVES: dict[str, Schema] = {
    "base64Binary": text(
        r"\s*(?:(?:[A-Za-z0-9+/]\s*){4})*"
        r"(?:(?:[A-Za-z0-9+/]\s*){2}=\s*=\s*|(?:[A-Za-z0-9+/]\s*){3}=\s*|(?:[A-Za-z0-9+/]\s*){4})"
    ),
    "boolean": {"type": "boolean"},
    "canonical": _long_text(rf"{VISIBLE}+"),
    "code": _long_text(rf"{VISIBLE}+(?: {VISIBLE}+)*"),
    "date": text(rf"{_MONTH}|{_DAY}"),
    "dateTime": text(rf"{_MONTH}|{_DAY}(?:T{_TIME}{_OFFSET})?"),
    "decimal": {"type": "number"},
    "id": text(ID),
    "instant": text(rf"{_DAY}T{_TIME}{_OFFSET}"),
    "integer": _whole(-(2**31)),
    "markdown": _long_text(rf"[^{_CONTROL}]+"),
    "oid": text(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"),
    "positiveInt": _whole(1),
    "string": _long_text(rf"[^{_CONTROL}]+"),
    "time": text(_TIME),
    "unsignedInt": _whole(0),
    "uri": _long_text(rf"{VISIBLE}+"),
    "url": _long_text(rf"{VISIBLE}+"),
    "uuid": text(r"urn:uuid:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
    "xhtml": text(rf"[^{_CONTROL}]+"),
}

# what the JSON format adds: https://hl7.org/fhir/R4/json.html#primitive and /extensibility.html#Extension
SPECIAL: dict[str, Schema] = {
    "Element.id": text(rf"{VISIBLE}+"),
    "uri.absolute": _long_text(rf"[A-Za-z][A-Za-z0-9+.\-]*:{VISIBLE}+"),
    "Resource": {
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": {"type": "string"}},
    },
}
