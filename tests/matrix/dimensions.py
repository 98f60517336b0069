"""The dimensions of the matrix, as tables: who asks, how they stand to the patient, labels, consents, exits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """`role` is the client's role, empty for a token that is none; `token` says what is wrong with it."""

    name: str
    role: str
    scopes: str = "system/*.cruds"
    token: str = "valid"

    @property
    def policy(self) -> str:
        """The word the oracle knows it by."""
        return self.role if self.token == "valid" else self.token

    @property
    def organization(self) -> str:
        return f"Organization/zworg{self.name}"


ACTORS = (
    Actor("feeder", "hospital-feeder", "system/*.cruds"),
    Actor("ehr", "ehr"),
    Actor("county", "county-behavioral-health"),
    Actor("ecm", "ecm-provider"),
    Actor("ilos", "ilos-provider"),
    Actor("plan", "plan"),
    Actor("auditor", "auditor"),
    Actor("member", "member", "patient/*.cruds"),
    Actor("operator", "operator"),
    Actor("custodian", "custodian"),
    Actor("nobody", "", token="none"),
    Actor("expired", "ehr", token="expired"),
    Actor("revoked", "ehr", token="revoked"),
    Actor("disabled", "ehr", token="disabled"),
    Actor("stranger", "ehr", token="wrong-audience"),
)
RELATIONS = ("assigned", "referred", "ended", "future", "never", "merged", "other-county")
LABELS = ("none", "sud-code", "part2", "psy", "hiv", "mixed", "hmis", "unknown")
CONSENTS = (
    "none",
    "tpo",
    "named",
    "class",
    "partial",
    "deny",
    "expired",
    "not-yet",
    "revoked",
    "contradicting",
    "ab133-without-medi-cal",
    "minor",
    "proxy-lapsed",
    "hmis-roi",
    "hmis-roi-expired",
)


@dataclass(frozen=True, slots=True)
class Exit:
    """`missing` says why it cannot be asked yet."""

    code: str
    title: str
    missing: str = ""


EXITS = (
    Exit("E01", "read"),
    Exit("E02", "vread"),
    Exit("E03", "history of a resource"),
    Exit("E04", "history of a type and of the system"),
    Exit("E05", "search"),
    Exit("E06", "search by POST"),
    Exit("E07", "_include"),
    Exit("E08", "_revinclude"),
    Exit("E09", "chain"),
    Exit("E10", "_has"),
    Exit("E11", "_total and _summary=count"),
    Exit("E12", "pages"),
    Exit("E13", "_elements and _summary"),
    Exit("E14", "order"),
    Exit("E15", "$everything"),
    Exit("E16", "$match and $member-match"),
    Exit("E17", "$validate"),
    Exit("E18", "conditional interactions"),
    Exit("E19", "patch and Prefer: return=representation"),
    Exit("E20", "GET in a batch"),
    Exit("E21", "bulk export"),
    Exit("E22", "export manifest"),
    Exit("E23", "notice with content"),
    Exit("E24", "notice with ids, or empty"),
    Exit("E25", "retried notice"),
    Exit("E26", "MLLP acknowledgement", "tests/adapters/adt: holds no field of the message but its control id"),
    Exit("E27", "files and their names", "files out"),
    Exit("E28", "reject reports", "files in"),
    Exit("E29", "resources inside others"),
    Exit("E30", "document content"),
    Exit("E31", "narrative"),
    Exit("E32", "Provenance and AuditEvent"),
    Exit("E33", "members of a Group"),
    Exit("E34", "errors"),
    Exit("E35", "headers"),
    Exit("E36", "304"),
    Exit("E37", "logs"),
    Exit("E38", "console", "console"),
    Exit("E39", "backups", "operations"),
    Exit("E40", "aggregates", "aggregates"),
)
BUILT = tuple(each for each in EXITS if not each.missing)
