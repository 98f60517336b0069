"""The labels and the codes that stand for them, as two tables: labels.csv and label_codes.csv.

Rules: https://hl7.org/fhir/R4/security-labels.html; v3-ActCode (InformationSensitivityPolicy, ActUSPrivacyLaw) and
v3-Confidentiality. docs/labels.md is printed from the tables (hub.rights.label_page).
Where v3-ActCode has no code, a label is one of the hub's own code system (column `system`).
A label is one bit of a mask. A security label that the tables do not have may mean anything: OTHER, which is
guarded most. `V` is OTHER, and so is `R` for which there is no reason.
Refuses at import: a row with an unknown label or way to match (KeyError).
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

from hub.fhir.summary import OBSERVATION_VALUE
from hub.fhir.systems import ACT_CODE, SECURITY_LABEL

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


@dataclass(frozen=True, slots=True)
class Label:
    """A row of labels.csv. `codes` are those of `system` that mean it; the main one, that the hub itself sets, is
    the first. `implies`: the labels that come with it. `confidentiality`: what the resource is at least."""

    bit: int
    name: str
    codes: tuple[str, ...]
    implies: int
    confidentiality: str
    meaning: str
    system: str = ACT_CODE


def rows_of(name: str) -> list[dict[str, str]]:
    text = files("hub.rights").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _labels() -> tuple[Label, ...]:
    rows = rows_of("labels.csv")
    bits = {row["label"]: int(row["bit"]) for row in rows}
    return tuple(
        Label(
            int(row["bit"]),
            row["label"],
            tuple(row["codes"].split()),
            sum(bits[name] for name in row["implies"].split()),
            row["confidentiality"],
            row["meaning"],
            row.get("system") or ACT_CODE,
        )
        for row in rows
    )


ROWS: Final = _labels()
LABELS: Final = tuple(label for label in ROWS if label.bit)
BITS: Final[Mapping[str, int]] = {label.name: label.bit for label in LABELS}
PART2, SUD, PSY, PSYTHPN = BITS["PART2"], BITS["SUD"], BITS["PSY"], BITS["PSYTHPN"]
HIV, STD, SDV, SEX = BITS["HIV"], BITS["STD"], BITS["SDV"], BITS["SEX"]
COUNSELLING, OTHER, HMIS = BITS["COUNSELLING"], BITS["OTHER"], BITS["HMIS"]
ALL_BITS: Final = sum(BITS.values())
SUD_BITS: Final = PART2 | SUD | COUNSELLING

RESTRICTED = 1 << 30  # `R` says that, and not why. It leaves hub.rights.labels as OTHER, or explained

# the same code systems as FHIR DSTU2 and STU3, CDA and claims name them
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    ACT_CODE: ("http://hl7.org/fhir/v3/ActCode", "urn:oid:2.16.840.1.113883.5.4"),
    CONFIDENTIALITY: ("http://hl7.org/fhir/v3/Confidentiality", "urn:oid:2.16.840.1.113883.5.25"),
    ACT_REASON: ("http://hl7.org/fhir/v3/ActReason", "urn:oid:2.16.840.1.113883.5.8"),
    OBSERVATION_VALUE: ("http://hl7.org/fhir/v3/ObservationValue", "urn:oid:2.16.840.1.113883.5.1063"),
    "http://hl7.org/fhir/sid/icd-10-cm": ("http://hl7.org/fhir/sid/icd-10", "urn:oid:2.16.840.1.113883.6.90"),
    "http://hl7.org/fhir/sid/icd-9-cm": ("urn:oid:2.16.840.1.113883.6.103",),
    "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets": (
        "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
        "urn:oid:2.16.840.1.113883.6.285",
    ),
    "http://www.ama-assn.org/go/cpt": ("urn:oid:2.16.840.1.113883.6.12",),
    "http://www.nlm.nih.gov/research/umls/rxnorm": ("urn:oid:2.16.840.1.113883.6.88",),
    "http://snomed.info/sct": ("urn:oid:2.16.840.1.113883.6.96",),
    "http://loinc.org": ("urn:oid:2.16.840.1.113883.6.1",),
    "http://nucc.org/provider-taxonomy": ("urn:oid:2.16.840.1.113883.6.101",),
}


def named(system: str) -> frozenset[str]:
    """All names of a code system."""
    return frozenset((system, *ALIASES[system]))


# security labels of these say what for, or how good: nothing of how sensitive
SILENT: Final = named(ACT_REASON) | named(OBSERVATION_VALUE)

# by code: the label for which it stands itself (not what that implies)
ACT: Final[Mapping[str, int]] = {code: row.bit for row in ROWS if row.system == ACT_CODE for code in row.codes}
OWN: Final[Mapping[str, int]] = {
    code: row.bit for row in ROWS if row.system == SECURITY_LABEL for code in row.codes
}
# the last ones are of former versions: v3-ActCode replaced them
CONFIDENTIALITIES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("U", "L", "M", "N"), 0),
    "R": RESTRICTED,
    "V": OTHER,
    "ETH": SUD,
    "HIV": HIV,
    "PSY": PSY,
    "SDV": SDV,
}
# unrestricted, low, moderate, normal, restricted, very restricted: least first
RANKS: Final[Mapping[str, int]] = {code: rank for rank, code in enumerate("ULMNRV")}


def closed(mask: int) -> int:
    """With what its labels imply: what is of a Part 2 program and a psychotherapy note is a counselling note."""
    for label in LABELS:
        if mask & label.bit:
            mask |= label.implies
    return mask | COUNSELLING if mask & PART2 and mask & PSYTHPN else mask


def confidentiality(mask: int) -> str:
    """What a resource with these labels is at least: the high-water mark."""
    found = [label.confidentiality for label in LABELS if mask & label.bit]
    return max(found, key=RANKS.__getitem__, default="N")


@dataclass(slots=True)
class Codes:
    """What is looked up in one code system; `lengths` of the prefixes, the longest first: the most exact counts.
    `words` stand in displays."""

    exact: dict[str, int] = field(default_factory=dict)
    prefixes: dict[str, int] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)
    lengths: tuple[int, ...] = ()
    unknown: int = 0

    def add(self, match: str, code: str, mask: int) -> None:
        """Prefixes stand in capitals and without their dot: claims and v2 leave it out."""
        if match == "prefix":
            self.prefixes[code.replace(".", "").upper()] = mask
            self.lengths = tuple(sorted({len(prefix) for prefix in self.prefixes}, reverse=True))
        else:
            {"code": self.exact, "word": self.words}[match][code] = mask

    def mask(self, code: Any, display: Any) -> int:
        if not isinstance(code, str):
            return self.unknown
        found = self.exact.get(code)
        if found is None:
            found = self._prefixed(code.replace(".", "").upper()) if self.lengths else self.unknown
        if self.words and isinstance(display, str):
            text = display.lower()
            for word, mask in self.words.items():
                found |= mask if word in text else 0
        return found

    def _prefixed(self, code: str) -> int:
        for length in self.lengths:
            if (found := self.prefixes.get(code[:length])) is not None:
                return found
        return 0


def _systems() -> dict[str, Codes]:
    """Of v3-ActCode only sensitivities count wherever they stand: it has all kinds of other codes."""
    made = {ACT_CODE: Codes(exact=dict(ACT)), CONFIDENTIALITY: Codes(exact=dict(CONFIDENTIALITIES), unknown=OTHER)}
    made[SECURITY_LABEL] = Codes(exact=dict(OWN))
    for row in rows_of("label_codes.csv"):
        mask = sum(BITS[name] for name in row["labels"].split())
        made.setdefault(row["system"], Codes()).add(row["match"], row["code"], mask)
    for system in tuple(made):
        made.update(dict.fromkeys(ALIASES.get(system, ()), made[system]))
    return made


SYSTEMS: Final = _systems()


def extend(rows: Iterable[Mapping[str, str]]) -> None:
    """A deployment's own rows (system, match, code, labels), when a process starts: codes of its own, such as those
    of its counselling notes. They add labels to what this table says of a code, and take none away. Raises
    ValueError."""
    for number, row in enumerate(rows, start=1):
        try:
            system, match, code, names = (row[key].strip() for key in ("system", "match", "code", "labels"))
            mask = sum(BITS[name] for name in set(names.split()))
            if not (system and code and mask):
                raise ValueError("system, code and labels are needed")
            codes = SYSTEMS.setdefault(system, Codes())
            said = 0 if match == "word" else codes.mask(code, None)
            codes.add(match, code.lower() if match == "word" else code, mask | said)
        except (AttributeError, KeyError, ValueError) as error:
            raise ValueError(f"label codes row {number}: {error}") from None


_ACT_NAMES, _CONFIDENTIALITY_NAMES = named(ACT_CODE), named(CONFIDENTIALITY)


def is_confidentiality(coding: Any) -> bool:
    """Is it one of U, L, M, N, R and V, of which a resource has one at most?"""
    return (
        isinstance(coding, dict)
        and isinstance(system := coding.get("system"), str)
        and system in _CONFIDENTIALITY_NAMES
        and isinstance(code := coding.get("code"), str)
        and code in RANKS
    )


def own(coding: Any) -> int:
    """The label for which one security label stands itself. RESTRICTED for `R`; what no table has is OTHER."""
    if not isinstance(coding, dict):
        return OTHER
    system, code = coding.get("system"), coding.get("code")
    if not isinstance(system, str) or not isinstance(code, str):
        return OTHER
    if system in _ACT_NAMES:
        return ACT.get(code, OTHER)
    if system in _CONFIDENTIALITY_NAMES:
        return CONFIDENTIALITIES.get(code, OTHER)
    if system == SECURITY_LABEL:
        return OWN.get(code, OTHER)
    return 0 if system in SILENT else OTHER


def marked(codings: Iterable[Any]) -> int:
    """The labels for which security labels stand themselves."""
    mask = 0
    for coding in codings:
        mask |= own(coding)
    return mask
