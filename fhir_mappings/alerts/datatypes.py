"""FHIR data types -> v2 data types, as far as a hospital message would have had them.

Rules: v2-to-FHIR IG 1.0.0, data type maps, read backwards; dates go through the one date function of the source
(fhir_mappings/adt/dates.py).
Refuses: a time that is none (Unreadable, 102).
"""

import re
from collections.abc import Mapping
from typing import Any

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.dates import Dtm, read
from fhir_mappings.adt.records import XAD, XPN, XTN
from fhir_mappings.alerts.codes import of_code

Element = Mapping[str, Any]
_AT = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?\Z", re.ASCII
)
_FRACTION = 5  # of a second, with its dot: what a DTM can hold


def dtm(text: Any, where: str) -> Dtm | None:
    """A FHIR date, dateTime or instant. Raises Unreadable."""
    if not text:
        return None
    found = _AT.match(str(text))
    parts = found.groups("") if found else ("x",) * 8
    offset = "+0000" if parts[7] == "Z" else parts[7].replace(":", "")
    return read("".join(parts[:6]) + parts[6][:_FRACTION] + offset, where)


def xpn(name: Element, tables: CodeTables) -> XPN:
    given = [str(part) for part in name.get("given", ()) if part]
    prefix, suffix = (" ".join(name.get(part, ())) for part in ("prefix", "suffix"))
    use = of_code(tables, "0200", name["use"]) if name.get("use") else ""
    return XPN(str(name.get("family", "")), given[0] if given else "", " ".join(given[1:]), suffix, prefix, use)


def xad(address: Element, tables: CodeTables) -> XAD:
    use = of_code(tables, "0190-use", address["use"]) if address.get("use") else ""
    city, state, postal, country, county = (
        str(address.get(name, "")) for name in ("city", "state", "postalCode", "country", "district")
    )
    return XAD(tuple(address.get("line", ())), city, state, postal, country, use, county)


def xtn(point: Element, tables: CodeTables) -> XTN:
    value, use = str(point.get("value", "")), point.get("use")
    if point.get("system") == "email":
        return XTN(use="NET", email=value)
    equipment = "CP" if use == "mobile" else of_code(tables, "0202-system", point.get("system", "phone"))
    said = of_code(tables, "0201", use) if use in ("home", "work") else ""
    return XTN(value, said, equipment)
