"""MSH-18 -> text.

Rules: HL7 table 0211; v2.5.1 chapter 2.15.9.18. An empty MSH-18 is read as UTF-8, which ASCII is part of. The first
repetition is the message's character set. Further ones are sets that it switches to by the escape sequences of
ISO 2022; of those the Japanese ones are read, any other switch is a control character and refused as such.
`UNICODE` (deprecated) names no encoding: whoever's header can be read byte by byte sends UTF-8.
Refuses: character sets that are not listed (Unreadable, 103), among them UTF-16 and UTF-32, whose bytes MLLP cannot
carry; bytes that are not in the set that the header names (102): nothing is replaced or guessed. Text that is named
Western European and is UTF-8 as it stands is refused, too: each of its letters would become two wrong ones.
"""

from collections.abc import Mapping

from fhir_mappings.adt.problems import Unreadable

JAPANESE = "iso2022_jp_ext"  # ASCII, JIS X 0201, 0208 and 0212
CHARSETS: Mapping[str, str] = {
    "": "utf-8",
    "ASCII": "ascii",
    "ISO IR6": "ascii",
    "8859/1": "latin-1",
    **{f"8859/{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)},
    "ISO IR87": JAPANESE,
    "ISO IR159": JAPANESE,
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
}
SWITCHED_FROM = ("", "ASCII", "ISO IR6")
SWITCHED_TO = ("ISO IR14", "ISO IR87", "ISO IR159")
# where the second byte of a letter in UTF-8 would be a control character or a sign such as « or ¶, never a letter
WESTERN = ("latin-1", "iso8859-9", "iso8859-15")
REPETITION = "~"


def encoding(charset: str) -> str:
    """The codec of an MSH-18, as adapters.adt.header gives it."""
    first, *others = (name.strip().upper() for name in charset.split(REPETITION))
    codec = CHARSETS.get(first)
    if codec is None:
        raise Unreadable("Unsupported character set", "MSH-18", "103")
    switches = first in SWITCHED_FROM and not set(SWITCHED_TO).isdisjoint(others)
    return JAPANESE if switches else codec


def decode(raw: bytes, codec: str) -> str:
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError:
        raise Unreadable("The bytes are not in the character set of MSH-18", "MSH-18") from None
    if codec in WESTERN and not raw.isascii() and _is_utf8(raw):
        raise Unreadable("The bytes are UTF-8, MSH-18 says otherwise", "MSH-18")
    return text


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
