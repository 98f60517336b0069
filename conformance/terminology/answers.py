"""Parameters that operations answer with. https://hl7.org/fhir/R4/parameters.html"""

from typing import Any

Resource = dict[str, Any]
Row = tuple[str, str, Any]  # name, value[x], value


def parameters(*rows: Row) -> Resource:
    """A Parameters resource of the rows that have a value."""
    return {"resourceType": "Parameters", "parameter": parts(*rows)}


def parts(*rows: Row) -> list[Resource]:
    return [{"name": name, kind: value} for name, kind, value in rows if value not in (None, "", [])]


def verdict(result: bool, message: str = "", display: str = "") -> Resource:
    """What $validate-code answers."""
    return parameters(
        ("result", "valueBoolean", result), ("message", "valueString", message), ("display", "valueString", display)
    )


def coding(system: str, code: str, display: str = "", version: str = "") -> Resource:
    found = {"system": system, "version": version, "code": code, "display": display}
    return {key: value for key, value in found.items() if value}
