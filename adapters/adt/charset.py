"""MSH-18 -> text.

Rules: HL7 table 0211; chapter 2.15.9.18. An empty MSH-18 is read as UTF-8, which ASCII is part of.
Refuses: character sets other than ASCII, 8859/1 and UNICODE UTF-8 (Unreadable, 103); bytes that are not in the set
that the header names (102): nothing is replaced or guessed.
"""

from collections.abc import Mapping

from fhir_mappings.adt.problems import Unreadable

CHARSETS: Mapping[str, str] = {
    "": "utf-8",
    "ASCII": "ascii",
    "8859/1": "latin-1",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
}


def encoding(charset: str) -> str:
    """The codec of an MSH-18."""
    codec = CHARSETS.get(charset.strip().upper())
    if codec is None:
        raise Unreadable("Unsupported character set", "MSH-18", "103")
    return codec


def decode(raw: bytes, codec: str) -> str:
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        raise Unreadable("The bytes are not in the character set of MSH-18", "MSH-18") from None
