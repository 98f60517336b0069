"""PID-10 and PID-22 -> the US Core race and ethnicity extensions.

Rules: US Core 6.1.0 us-core-race, us-core-ethnicity; tables 0005 and 0189 (CDC race and ethnicity codes: each with
the OMB category it belongs to).
- Codes of the five OMB categories, and `unknown` and `asked` where the sender says so, are ombCategory; finer ones
  are `detailed`, with their category before them. The text is the sender's, else the display.
- Extensions of other kinds stay.
Refuses: codes without a row (UnmappedCode); senders' own letters want rows of a local table.
"""

from collections.abc import Iterable

from fhir_mappings.adt.codes import Target
from fhir_mappings.adt.records import CWE
from fhir_mappings.adt.rows import Context, Element
from hub.fhir.systems import US_CORE

RACE, ETHNICITY = f"{US_CORE}us-core-race", f"{US_CORE}us-core-ethnicity"
OMB = frozenset(("1002-5", "2028-9", "2054-5", "2076-8", "2106-3", "2135-2", "2186-5"))


def race(sent: Iterable[CWE], context: Context, where: str) -> Element:
    return _extension(RACE, "0005", sent, context, where, most=5)


def ethnicity(sent: Iterable[CWE], context: Context, where: str) -> Element:
    """At most one category: US Core has room for no more. The first that was sent counts."""
    return _extension(ETHNICITY, "0189", sent, context, where, most=1)


def _extension(url: str, table: str, sent: Iterable[CWE], context: Context, where: str, most: int) -> Element:
    values = [value for value in sent if value.code]
    targets = [t for value in values for t in context.tables.targets(table, value.code, where)]
    unique = list(dict.fromkeys(targets))
    categories = [target for target in unique if _is_category(target)][:most]
    told = [_part("ombCategory", target) for target in categories]
    told += [_part("detailed", target) for target in unique if not _is_category(target)]
    words = ", ".join(dict.fromkeys(text for value in values if (text := _text(value, table, context, where))))
    return {"url": url, "extension": [*told, {"url": "text", "valueString": words}]} if told else {}


def _is_category(target: Target) -> bool:
    return target.code in OMB or not target.system.startswith("urn:oid:")


def _part(url: str, target: Target) -> Element:
    return {"url": url, "valueCoding": target.coding()}


def _text(value: CWE, table: str, context: Context, where: str) -> str:
    return value.text or context.tables.targets(table, value.code, where)[-1].display
