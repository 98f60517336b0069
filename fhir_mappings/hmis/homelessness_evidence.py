"""The rows of a client, as of a day -> is somebody homeless, and which rows say so by which rule.

Rules: docs/hmis.md "Homelessness". What was said last about where somebody lives decides: homeless, housed, or
elsewhere. Of one day the order is: before an entry, current, at the exit, moved in. An open enrolment in a shelter
speaks of the day that is asked about, as long as nobody recorded a living situation since. What the client does not
know, or nobody asked, says nothing. An imminent loss of housing counts until somebody lives elsewhere. What is said
later than `as_of` does not count.
Rows with labels (a project for survivors, domestic violence) speak among themselves only: none of them changes what
those without a label say.
Pure: the day is an argument. Refuses nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from fhir_mappings.hmis.client_rows import ENROLLMENT, PROJECT, ClientRows
from fhir_mappings.hmis.code_lists import ABSENT
from fhir_mappings.hmis.homelessness_rules import (
    AT_RISK,
    FLEEING,
    HOMELESS,
    HOUSED,
    RULES,
    SITUATION,
    Around,
    Rule,
)
from fhir_mappings.hmis.labels import NONE, Labels
from fhir_mappings.hmis.living_situation import SITUATIONS
from hub.feeds.records import Kept

BED_NIGHT = "200"
BED_NIGHT_DAYS = "bed_night_days"  # option of the feed: how many days ago a bed night is recent
RECENT = 30
UNKNOWN = "not-shown"
When = tuple[str, int]  # the day, and the order within it
_NEVER: Final[tuple[When, str]] = (("", 0), UNKNOWN)
# of one day: the night before an entry, the day itself, the exit, the move
_ORDER: Final = {ENROLLMENT: 0, SITUATION: 1, "Exit": 2}
_OTHERWISE = frozenset((*ABSENT, "17", "24"))  # 17 other, 24 deceased


@dataclass(frozen=True, slots=True)
class Evidence:
    """A row that says something by a rule, from that day on."""

    rule: Rule
    row: Kept
    day: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`is_` is homeless, at-risk, fleeing, housed or not-shown; `evidence` all that was found."""

    is_: str
    evidence: Sequence[Evidence]


def evidence(rows: ClientRows, as_of: date, labels: Labels = NONE) -> list[Evidence]:
    """What the rules find in the rows with these labels, and in no others; oldest first."""
    arounds = {row.key: _around(row, rows, as_of, labels) for row in rows.of(ENROLLMENT)}
    nothing = Around(as_of, {})
    latest_dv = rows.latest("HealthAndDV")
    found = []
    for rule in RULES:
        for row in _labelled(rows, rule.kind, labels):
            if (rule.of == FLEEING and row is not latest_dv) or _is_later(row, rule.dated, as_of):
                continue
            if rule.holds(row.values, arounds.get(row.values["EnrollmentID"], nothing)):
                day = as_of.isoformat() if rule.ongoing else str(row.values[rule.dated])
                found.append(Evidence(rule, row, day))
    return sorted(found, key=lambda one: (one.day, one.rule.id, one.row.key))


def _labelled(rows: ClientRows, kind: str, labels: Labels) -> Iterator[Kept]:
    return (row for row in rows.of(kind) if labels_of(row, rows) == labels)


def _is_later(row: Kept, column: str, as_of: date) -> bool:
    """Than the day that is asked about; what has no day is later, too."""
    return str(row.values.get(column, "9999")) > as_of.isoformat()


def verdict(found: Sequence[Evidence], elsewhere: Sequence[When] = ()) -> Verdict:
    """`elsewhere`: when somebody was said to live anywhere at all."""
    lived = max(((_when(one), one.rule.of) for one in found if one.rule.of in (HOMELESS, HOUSED)), default=_NEVER)
    moved = max(elsewhere, default=_NEVER[0])
    last, is_ = (moved, UNKNOWN) if moved > lived[0] else lived
    if is_ == HOMELESS:
        return Verdict(HOMELESS, found)
    if any(one.rule.of == AT_RISK and _when(one) >= last for one in found):
        return Verdict(AT_RISK, found)
    return Verdict(FLEEING if any(one.rule.of == FLEEING for one in found) else is_, found)


def elsewhere(rows: ClientRows, as_of: date) -> list[When]:
    """When somebody was said to live anywhere, by a row without a label: in an institution, with others, or where
    a rule looks."""
    return [
        (str(row.values[one.dated]), _ORDER[one.kind])
        for one in SITUATIONS
        for row in _labelled(rows, one.kind, NONE)
        if (code := row.values.get(one.column)) and code not in _OTHERWISE and not _is_later(row, one.dated, as_of)
    ]


def spoken(rows: ClientRows, labels: Labels = NONE) -> date | None:
    """The last day on which a row with these labels was written: of it their evidence speaks."""
    kinds = {"Client", *(rule.kind for rule in RULES)}
    told = (row for kind in sorted(kinds) for row in rows.all(kind) if labels_of(row, rows) == labels)
    days = [str(row.values["DateUpdated"])[:10] for row in told]
    return date.fromisoformat(max(days)) if days else None


def _when(one: Evidence) -> When:
    if one.rule.ongoing:
        return one.day, 1
    return one.day, 3 if one.rule.id == "MOVED-IN" else _ORDER.get(one.rule.kind, 1)


def labels_of(row: Kept, rows: ClientRows) -> Labels:
    """Whose the row is, and that it tells of violence. Which institution somebody was in no rule tells."""
    violence: Labels = frozenset(("SDV",)) if row.kind == "HealthAndDV" else NONE
    return rows.labels_of(row) | violence


def _around(row: Kept, rows: ClientRows, as_of: date, labels: Labels) -> Around:
    project = rows.row(PROJECT, row.key)
    left = rows.exit_of(row.key)
    entry, today = str(row.values["EntryDate"]), as_of.isoformat()
    days = rows.subject.feed.options.get(BED_NIGHT_DAYS, RECENT)
    return Around(
        as_of,
        project.values if project else {},
        is_open=left is None or str(left.values["ExitDate"]) > today,
        situations_since=any(entry <= day <= today for day in _situations(rows, labels)),
        bed_night=max(_bed_nights(row.key, rows, today), default=""),
        bed_night_days=int(days),
    )


def _situations(rows: ClientRows, labels: Labels) -> Iterator[str]:
    there = _labelled(rows, SITUATION, labels)
    known = (row for row in there if row.values["CurrentLivingSituation"] not in _OTHERWISE)
    return (str(row.values["InformationDate"]) for row in known)


def _bed_nights(enrollment: str, rows: ClientRows, today: str) -> Iterator[str]:
    for row in rows.of("Services"):
        values = row.values
        is_night = values["RecordType"] == BED_NIGHT and values["EnrollmentID"] == enrollment
        if is_night and str(values["DateProvided"]) <= today:
            yield str(values["DateProvided"])
