"""Who may see what, once more: a small policy written from the rules by somebody who has not read the product.

It imports nothing of the product. `decide` answers for one cell of the matrix: who asks, how they stand to the
patient, what the resource is labelled with, what was consented, by which exit it would leave, and its type.
Any word that is not known here is denied.
"""

import re

ALLOW, DENY, MASK = "allow", "deny", "mask"

# --- who may read which types; a type outside them is refused by name, whatever is stored -----------------------
DIRECTORY = frozenset(("Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService"))
CARE = frozenset(
    ("Patient", "Coverage", "Group", "Task", "ServiceRequest", "CareTeam", "CarePlan", "EpisodeOfCare", "Encounter")
)
CLINICAL = CARE | {
    "Condition", "Observation", "DocumentReference", "DiagnosticReport", "MedicationRequest", "Procedure", "Goal",
    "List", "Composition", "Consent", "Provenance", "RelatedPerson", "Binary",
}  # fmt: skip
TYPES = {
    "hospital-feeder": frozenset(),
    "ehr": CLINICAL | DIRECTORY,
    "county-behavioral-health": CLINICAL | DIRECTORY,
    "ecm-provider": CLINICAL | DIRECTORY,
    "ilos-provider": DIRECTORY | {"Patient", "Task", "ServiceRequest"},
    # rosters, referrals and operations, no plan of care; who obtained a consent tells the plan of it, and where a
    # record came from goes with it
    "plan": (CARE - {"CarePlan"}) | DIRECTORY | {"Consent", "Provenance"},
    "auditor": frozenset(("AuditEvent", "Consent", "Provenance")),
    "member": CLINICAL | DIRECTORY,
    "operator": frozenset(),
    "custodian": CLINICAL | DIRECTORY,
}

# --- which relation to the patient counts for whom --------------------------------------------------------------
EVERYBODY = frozenset(("assigned", "referred", "ended", "future", "never", "merged", "other-county"))
RELATIONS = {
    "ehr": frozenset(("assigned", "referred")),
    "county-behavioral-health": frozenset(("assigned", "referred")),
    "ecm-provider": frozenset(("assigned",)),
    "ilos-provider": frozenset(("referred",)),
    "plan": frozenset(("assigned",)),
    "member": frozenset(("assigned",)),  # the patient is the member itself
    "auditor": EVERYBODY,
    "custodian": EVERYBODY,
}

# --- labels: what each role sees without a consent, and what only a consent opens -------------------------------
SUD = frozenset(("SUD", "42CFRPart2"))
GUARDED = SUD | {"PSY", "HIV", "STD", "SDV"}  # labels that a consent can open; any other opens to nobody
HMIS = frozenset(("HMIS",))  # but for this one: its own release of information opens it, to whom that names
FREE = {
    "ehr": frozenset(("PSY",)),
    "county-behavioral-health": frozenset(("PSY",)),
    "ecm-provider": frozenset(("PSY",)),
    "custodian": frozenset(("PSY",)),
    "plan": frozenset(("PSY",)),
    "ilos-provider": frozenset(),
}
LABELS = {
    "none": frozenset(),
    "sud-code": frozenset(("SUD",)),
    "part2": frozenset(("42CFRPart2",)),
    "psy": frozenset(("PSY",)),
    "hiv": frozenset(("HIV",)),
    "mixed": frozenset(("SUD", "PSY", "HIV")),
    "hmis": HMIS,
    "unknown": frozenset(("unknown",)),
}

# --- consents: to whom (by name, by class, or as the form says) which labels are released -----------------------
NAMED = frozenset(("ehr", "ecm-provider", "ilos-provider", "plan"))
COVERED = frozenset(("ehr", "county-behavioral-health", "ecm-provider", "plan"))
NOTHING = (frozenset(), frozenset())
CONSENTS = {
    "none": NOTHING,
    "tpo": (COVERED, SUD),  # one consent for all future treatment, payment and operations; not for the uncovered
    "named": (NAMED, GUARDED),
    "class": (frozenset(("ehr", "ecm-provider")), GUARDED),  # for treatment: the plan is named, and has no such aim
    "partial": (frozenset(TYPES), frozenset(("PSY",))),
    "deny": NOTHING,
    "expired": NOTHING,
    "not-yet": NOTHING,
    "revoked": NOTHING,
    "contradicting": NOTHING,
    "ab133-without-medi-cal": NOTHING,
    "minor": NOTHING,
    "proxy-lapsed": NOTHING,
    "hmis-roi": (NAMED, HMIS),
    "hmis-roi-expired": NOTHING,
}

# --- what an exit can show at all -------------------------------------------------------------------------------
SILENT = frozenset(("E17", "E26", "E34", "E37"))  # answers about an error, acknowledgements, logs: never content
# whom only some elements leave to: what never leaves, and what must; the rest of a type is left open
NEVER = {
    "ilos-provider": frozenset(("div", "contained", "note", "reason", "input", "description", "general")),
    "auditor": frozenset(("div", "contained")),
    "plan": frozenset(("contained", "note", "reason")),
}
_EXIT = re.compile(r"E(0[1-9]|[123][0-9]|40)\Z").match
ALWAYS = {
    "Patient": frozenset(("family", "given", "phone", "line")),
    "Task": frozenset(("id",)),
    "ServiceRequest": frozenset(("id",)),
    "Provenance": frozenset(("id", "agent")),
}


def decide(actor: str, relation: str, labels: str, consent: str, exit_: str, type_: str, own: bool = False) -> str:
    """`allow`, `deny`, or `mask`: only some elements. `own`: the actor's organization wrote the resource."""
    if type_ not in TYPES.get(actor, frozenset()) or not _EXIT(exit_):
        return DENY
    if type_ in DIRECTORY:
        return ALLOW
    if relation not in RELATIONS.get(actor, frozenset()):
        return DENY
    if exit_ == "E15" and "Patient" not in TYPES[actor]:  # it begins with the patient
        return DENY
    if actor in ("auditor", "member") or own:
        return _shape(actor)
    return _shape(actor) if _released(actor, _labels(type_, labels, consent), consent) else DENY


def _labels(type_: str, labels: str, consent: str) -> frozenset[str]:
    """A consent record tells of what it is about: of a substance use disorder, or of a record in an HMIS."""
    if type_ == "Consent":
        return LABELS["none"] if consent == "none" else HMIS if consent.startswith("hmis") else LABELS["sud-code"]
    return LABELS.get(labels, LABELS["unknown"])


def _released(actor: str, labels: frozenset[str], consent: str) -> bool:
    to, what = CONSENTS.get(consent, NOTHING)
    opened = FREE.get(actor, frozenset()) | (what if actor in to else frozenset())
    return labels <= opened


def _shape(actor: str) -> str:
    return MASK if actor in NEVER else ALLOW


def refusal(actor: str, type_: str) -> int:
    """The status where the answer is no: by type where the role never reads it, else as if nothing were there."""
    if actor not in TYPES:
        return 401
    return 404 if type_ in TYPES[actor] else 403


def may_leave(verdict: str, actor: str, exit_: str, element: str) -> bool:
    """Whether this element may be among the bytes that leave by the exit."""
    if exit_ in SILENT:
        return False
    return verdict == ALLOW or (verdict == MASK and element not in NEVER[actor])


def must_leave(verdict: str, type_: str, element: str) -> bool:
    return verdict == ALLOW or (verdict == MASK and element in ALWAYS.get(type_, frozenset()))
