"""FHIR codes -> the codes of HL7 tables that a hospital message would have said the same with.

Rules: the tables of fhir_mappings/adt/code_tables, read from their right side to their left.
- Of several codes that one is taken that says nothing which the sender did not say: all its targets are among the
  codings. A code that no row says is taken as it is: without a row in its table (HUB_CODE_TABLES_DIR) the message
  waits as `unmapped`, like one of a hospital that sends a code of its own.
Refuses: nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.records import CWE

Element = Mapping[str, Any]


def v2_code(tables: CodeTables, table: str, codings: Sequence[Element]) -> str:
    """Empty where nothing is coded."""
    said = {(one.get("system", ""), one.get("code", "")) for one in codings if one.get("code")}
    best, most = "", 0
    for code, targets in tables.tables.get(table, {}).items():
        means = {(target.system, target.code) for target in targets if target.code}
        if len(means) > most and means <= said:
            best, most = code, len(means)
    return best or next((str(one["code"]) for one in codings if one.get("code")), "")


def of_code(tables: CodeTables, table: str, code: Any) -> str:
    """The same for an element of type code, whose system is the table's."""
    for sent, targets in tables.tables.get(table, {}).items():
        if [target.code for target in targets if target.code] == [code]:
            return sent
    return str(code or "")


def cwe(tables: CodeTables, table: str, concept: Element | None) -> CWE | None:
    """A CodeableConcept by its table; None where it has no code."""
    code = v2_code(tables, table, concept.get("coding", ())) if concept else ""
    return CWE(code, text_of(concept)) if code else None


def named(tables: CodeTables, concept: Element | None) -> CWE | None:
    """A CodeableConcept of a named code system (table 0396); words alone are words."""
    if not concept:
        return None
    text = text_of(concept)
    known = _systems(tables)
    coded = [one for one in concept.get("coding", ()) if one.get("code") and one.get("system")]
    coded.sort(key=lambda one: one["system"] not in known)
    if coded:
        one = coded[0]
        return CWE(str(one["code"]), text, known.get(one["system"], one["system"]))
    return CWE("", text) if text else None


def text_of(concept: Element | None) -> str:
    """The sender's words, else the first display."""
    if not concept:
        return ""
    shown = (one.get("display") for one in concept.get("coding", ()))
    return str(concept.get("text") or next(filter(None, shown), ""))


def _systems(tables: CodeTables) -> Mapping[str, str]:
    """URI -> its first name in table 0396."""
    found: dict[str, str] = {}
    for name, targets in tables.tables.get("0396", {}).items():
        for target in targets:
            found.setdefault(target.code, name)
    return found
