"""The page docs/labels.md, printed from the tables: `python -m hub.rights.label_page > docs/labels.md`."""

from collections.abc import Iterable
from itertools import groupby

from hub.fhir.systems import ACT_CODE
from hub.rights.label_table import ALIASES, LABELS, ROWS, Label, rows_of

HEAD = """# Labels

Each resource has a mask of labels: what is sensitive in it. They are set in the transaction that writes it,
from what it says and from where it comes, and stand in `meta.security`, where search finds them
(`_security`). A client may add labels, never take one away: those of the row, of the new content and of its
source are joined, and old versions are guarded by the labels of the newest. This page is printed from
`hub/rights/labels.csv` and `hub/rights/label_codes.csv` (`python -m hub.rights.label_page >
docs/labels.md`). Which codes mean what is a proposal: a privacy officer has to confirm it.

## What decides

1. **Security labels** of the resource and of all that is in it (contained resources, entries of a Bundle,
   Parameters, inline labels), also `DocumentReference.securityLabel` and `Composition.confidentiality`.
2. **Codes** of the table below, wherever they stand. A code alone never makes a record one of 42 CFR Part
   2: it marks what is sensitive.
3. **Its source.** What a program under 42 CFR Part 2 sends (the client's organization, `meta.source`), and
   whatever refers to it, to its Location or to its HealthcareService, is PART2. Programs are named in
   `HUB_PART2_PROGRAMS`, or by `part2` in the facilities file.
4. **What a Consent is about**: the form that it is, and the categories that its provisions name by
   `provision.code` (docs/consent.md), permitted or denied.

A resource that says whose it is by what it is about (a Provenance by its `target`, a Task without `for` by its
`focus`) **inherits** the labels of that: they guard it as its own do. They are no labels of its own: they do not
stand in what is stored, `_security` does not find them, and who sends them back with a copy changes nothing.

What is not known is guarded most. A security label that this page does not have, of whatever system, is
OTHER; so is `V`, and so is `R` where nothing in the resource tells why. `U`, `L`, `M` and `N` mean nothing
here, nor do labels that say what for or how good (v3-ActReason, v3-ObservationValue).

Organizations, Practitioners, Medications and other directory entries have only the labels given to
themselves: they say nothing of a patient. What refers to them does.

Not seen: texts without a code, narratives, images and documents inside a Binary or an Attachment, and the
code of a Medication that is only referred to.

## Labels

The first code is the one that the hub sets. Beside the labels a resource has one confidentiality, the
highest of what its sender said and of what its labels imply. Codes are those of
[v3-ActCode](https://terminology.hl7.org/CodeSystem-v3-ActCode.html), but for those with a system in front.

| bit | label | meaning | codes | implies | confidentiality |
| --- | --- | --- | --- | --- | --- |
"""

RELEASE = """
No label, but known: {silent}.

## When something leaves

A resource leaves with all its labels, old versions too. Of inherited labels it shows those of targets that the
caller sees: from a Provenance nobody learns what is sensitive about a record out of sight, nor whether it is
there. A plan that sees the Provenance of a diagnosis, and no diagnoses, is shown neither label nor notice: such
a copy tells of no substance use (42 CFR 2.12(a)(1)). A record under Part 2, and anything else
about substance use that a consent released, also has: `NORDSCLCD` (no redisclosure without consent
directive) with the DS4P extensions that name the basis and each Consent, and the notice of 42 CFR
2.32(a)(2) as a marking to display. A search's Bundle has the whole notice of 2.32(a)(1) and the consents in
an OperationOutcome entry; every Bundle has the high-water mark of its entries in `meta.security`. Who sends
such a copy back changes nothing: what was added for the release is left off.

## Codes

`HUB_LABEL_CODES_FILE` adds rows of your own, such as the types of counselling notes (COUNSELLING). The most
exact row counts. `prefix`: codes that begin so, with or without the dot; `word`: displays that
contain it.
"""


def page() -> str:
    silent = next(row for row in ROWS if not row.bit)
    return HEAD + "".join(map(_label, LABELS)) + RELEASE.format(silent=_codes(silent.codes)) + _tables()


def _label(label: Label) -> str:
    implied = " ".join(other.name for other in LABELS if other.bit & label.implies)
    system = "" if label.system == ACT_CODE else f"{label.system}|"
    codes = _codes(system + code for code in label.codes)
    cells = (label.bit, label.name, label.meaning, codes.replace("|", "\\|"), implied, label.confidentiality)
    return "| " + " | ".join(map(str, cells)) + " |\n"


def _codes(codes: Iterable[str]) -> str:
    return " ".join(f"`{code}`" for code in codes)


def _tables() -> str:
    grouped = groupby(rows_of("label_codes.csv"), key=lambda row: row["system"])
    return "".join(_table(system, list(rows)) for system, rows in grouped)


def _table(system: str, rows: list[dict[str, str]]) -> str:
    also = f" (also {_codes(ALIASES[system])})" if system in ALIASES else ""
    head = f"\n`{system}`{also}\n\n| code | match | labels | why |\n| --- | --- | --- | --- |\n"
    return head + "".join(f"| `{r['code']}` | {r['match']} | {r['labels']} | {r['why']} |\n" for r in rows)


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
