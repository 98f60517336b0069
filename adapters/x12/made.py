"""When each transaction set of a file was made, by its envelope: ISA09 and ISA10, else GS04 and GS05.

Rules: X12.5 (ISA: YYMMDD, HHMM), X12.6 (GS: CCYYMMDD, HHMM and more). Local time of who sends. Refuses nothing:
what is no moment is left out.
"""

from collections.abc import Mapping
from datetime import datetime

from adapters.x12.verdicts import Examined, Group, Interchange


def made_of(examined: Examined) -> Mapping[int, str]:
    """By the set's ordinal, as ISO 8601; empty where neither says it."""
    return {
        one.ordinal: _interchange(interchange) or _group(group)
        for interchange in examined.interchanges
        for group in interchange.groups
        for one in group.sets
    }


def _interchange(one: Interchange) -> str:
    return _moment(one.element(9), one.element(10), "%y%m%d")


def _group(one: Group) -> str:
    return _moment(*one.made, "%Y%m%d")


def _moment(day: str, time: str, form: str) -> str:
    digits = 6 if form == "%y%m%d" else 8
    if not (day + time).isascii() or len(day) != digits or not (day + time).isdigit() or len(time) < 4:
        return ""
    try:
        return datetime.strptime(day + time[:4], f"{form}%H%M").isoformat()
    except ValueError:
        return ""
