"""What can be wrong with a hospital message, as named inbox states that someone can list, mend and replay.

Rules: docs of the inbox states (`unreadable`, `unmapped`, `unmatched`); codes from HL7 table 0357.
No error text ever holds content of a message: `where` names the segment and field, `reason` the rule.
"""

from typing import ClassVar


class AdtProblem(Exception):
    """Base of all: `state` is the inbox state, `where` a place such as PID-7, `reason` is free of PHI."""

    state: ClassVar[str] = "unreadable"

    def __init__(self, reason: str, where: str):
        super().__init__(reason, where)
        self.reason = reason
        self.where = where

    def __str__(self) -> str:
        return f"{self.state}: {self.reason} ({self.where})"


class Unreadable(AdtProblem):
    """The bytes or a field break the v2 standard; `code` is from HL7 table 0357 (100 to 103, 200 to 203)."""

    def __init__(self, reason: str, where: str, code: str = "102"):
        super().__init__(reason, where)
        self.code = code


class UnmappedCode(AdtProblem):
    """A code with no row in its table. Add a row (overlay) and replay. `code` is source content: do not log it."""

    state = "unmapped"

    def __init__(self, table: str, code: str, where: str):
        super().__init__(f"The code has no row in table {table}", where)
        self.table = table
        self.code = code


class UnknownFacility(AdtProblem):
    """MSH-4.1 names no configured facility. Add a row to the facilities and replay."""

    state = "unmapped"

    def __init__(self, code: str):
        super().__init__("The sending facility is not configured", "MSH-4")
        self.code = code


class Unmatched(AdtProblem):
    """The message cannot be tied to one visit or one person."""

    state = "unmatched"


class MissingIdentifier(Unmatched):
    """Neither the facility's MRN nor a CIN."""

    def __init__(self, where: str = "PID-3"):
        super().__init__("No medical record number of the facility and no CIN", where)
