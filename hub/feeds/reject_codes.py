"""The words of a reject report, and what to do about each.

docs/feeds.md is checked against this table. A line of the report holds no value of a row: whoever sent the file has
it, and everybody else need not.
"""

from collections.abc import Mapping

REJECT_CODES: Mapping[str, str] = {
    "EMPTY": "the file has no bytes, or no header: send it again",
    "ENCODING": "not UTF-8 here: export as UTF-8",
    "HEADER_MISSING": "a column that must be there is not: see the layout",
    "HEADER_UNKNOWN": "a column that no layout names; kept, not read",
    "COLUMN_COUNT": "more or fewer cells than the header has: look for an unquoted comma",
    "REQUIRED": "empty, and must not be",
    "TYPE": "not the kind of value that the column holds",
    "DATE": "no date, or one that cannot be: the layout says how dates are written",
    "LENGTH": "longer than the column may be",
    "CODE": "not in the column's list of codes",
    "IDENTIFIER": "not the format of the identifier",
    "DUPLICATE_KEY": "another row of the file has this key and says something else",
    "NUL": "a NUL byte in the row",
    "FIELD_TOO_LONG": "a cell beyond the limit: look for an unclosed quote",
    "QUOTES": "the quotes of a row do not pair: a quote inside of quotes is written twice",
    "HEADER_REPEATED": "two columns have one name: give each its own",
    "ENCRYPTED": "the file is encrypted: send it open, the transport is encrypted",
    "ZIP_UNSAFE": "an archive that is too large when unpacked, or names files outside itself",
    "CHECKSUM": "not the bytes that the checksum is of: send it again",
    "COUNT": "not the number of rows or segments that the trailer says",
    "TOO_MANY_BAD": "more bad rows than the feed allows: nothing was taken",
    "NAME_REUSED": "a file of this name came before with other content: give it a name of its own",
    "NAME_UNSAFE": "a file name that cannot be used",
    "LAYOUT_UNKNOWN": "no layout, or several, has these columns: name one, or add one",
    "X12_ENVELOPE": "the envelope is not right: see the TA1 or 999",
    "X12_SEGMENT": "a segment is not right: see the 999",
    "UNSUPPORTED": "a version or type that this feed does not take",
    "REFERENCE": "names a row that is in no file",
    "FORMAT": "not the format of the file",
    "STALE": "said before what is kept: a newer file told of it; nothing of the row was taken",
    "TO_COME": "the file says that it is of a day to come: taken as of its arrival; look at the sender's clock",
    "MOVE": "the referral does not go there from where it stands: the line says which answers are legal",
    "TOO_MANY_GONE": "a full file that leaves out too many: send it whole, or hub files agree; nothing was taken",
    "NOT_WHOLE": "a full file with faults says of nobody that they are gone: mend it and send it again",
}
