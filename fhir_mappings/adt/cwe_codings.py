"""CWE whose component 3 names its coding system -> CodeableConcept.

Rules: HL7 table 0396 (table 0396 here: name -> URI); ICD-10-CM codes get the dot that many senders leave out.
- `L` and names that begin with 99 are the sender's own lists: their codes stand under the feed's own URI.
- The sender's words are the text; displays are the code system's, so none is written.
Refuses: a coding system without a row, and a code of no system where a system is needed (UnmappedCode): a code that
nobody can read is not labelled either.
"""

from fhir_mappings.adt.records import CWE
from fhir_mappings.adt.rows import Context, Element, filled
from hub.fhir.systems import ICD_10_CM

TABLE = "0396"


def coded(value: CWE, context: Context, where: str, words: str = "", method: str = "") -> Element:
    """The concept of a value that must be of a named system. `words` stand in for its own text, `method` for its
    coding system. Raises UnmappedCode."""
    text = value.text or words
    if not value.code:
        return filled({"text": text})
    system = coding_system(value.system or method, context, where)
    return filled({"coding": [{"system": system, "code": _as_published(value.code, system)}], "text": text})


def coded_or_said(value: CWE, context: Context, where: str) -> Element:
    """The concept, or only words where no system is named: many senders put words into the code. Raises
    UnmappedCode."""
    if value.system and value.code:
        return coded(value, context, where)
    return filled({"text": value.text or value.code})


def coded_or_own(value: CWE, context: Context, where: str) -> Element:
    """The concept; a code of no named system is of the sender's own list. Raises UnmappedCode."""
    return coded(value, context, where, value.code, "L")


def coding_system(name: str, context: Context, where: str) -> str | None:
    """The URI. Raises UnmappedCode."""
    if name == "L" or name.startswith("99"):
        return f"{context.facility.feed}:codes:{where}"
    return context.tables.code(TABLE, name, where)


def _as_published(code: str, system: str | None) -> str:
    if system == ICD_10_CM and len(code) > 3 and "." not in code:
        return f"{code[:3]}.{code[3:]}"
    return code
