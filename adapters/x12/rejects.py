"""What was found wrong in a file of X12, as lines of its reject report.

Rules: docs/feeds.md (the codes). The TA1 and the 999 say the same to the sender's machine (answers.py). What a feed
takes although it is counted wrongly is a warning.
"""

from collections.abc import Iterator
from dataclasses import replace

from adapters.x12 import verdicts
from adapters.x12.verdicts import Examined, Finding, Group, Interchange, TransactionSet
from hub.feeds.records import WARNING, Reject

_GROUP_FAULTS = {
    "1": ("UNSUPPORTED", "GS01", "this functional group is not taken here"),
    "2": ("UNSUPPORTED", "GS08", "this version is not taken here"),
    "3": ("X12_ENVELOPE", "GE", "no trailer (GE)"),
    "4": ("X12_ENVELOPE", "GE02", "control numbers of GS and GE differ"),
    "5": ("COUNT", "GE01", "not as many transaction sets as GE01 says"),
    "6": ("X12_ENVELOPE", "GS06", "no control number"),
    "19": ("X12_ENVELOPE", "GS06", "this control number came before in the interchange"),
}
_SET_CODES = {"1": "UNSUPPORTED", "I6": "UNSUPPORTED", "4": "COUNT", "5": "X12_SEGMENT"}


def envelope_rejects(examined: Examined) -> Iterator[Reject]:
    """The lines for all that is not taken; `whole` where nothing is."""
    whole = not examined.taken()
    if examined.unreadable:
        yield Reject(examined.unreadable, what="no interchange (ISA) stands here", whole=True)
    for interchange in examined.interchanges:
        if interchange.rejected:
            yield _interchange(interchange, whole)
        elif interchange.miscounted:
            yield Reject("COUNT", interchange.first, "IEA01", "not as many groups as IEA01 says", severity=WARNING)
        for group in interchange.groups:
            yield from (_group(group, fault, whole) for fault in group.faults)
            if group.miscounted and not group.rejected:
                yield replace(_group(group, verdicts.MISCOUNTED_SETS, whole=False), severity=WARNING)
            for one in group.sets:
                yield from (_set(one, fault, whole) for fault in one.faults)
                if one.miscounted and not one.rejected:
                    yield replace(_set(one, verdicts.MISCOUNTED_SEGMENTS, whole=False), severity=WARNING)


def segment_reject(finding: Finding) -> Reject:
    where = f"{finding.segment}{finding.element:02}" if finding.element else finding.segment
    component = f"-{finding.component}" if finding.component else ""
    kind = "element" if finding.element else "segment"
    return Reject("X12_SEGMENT", finding.number, where + component, f"{kind} error {finding.code} of the 999")


def _interchange(one: Interchange, whole: bool) -> Reject:
    return Reject("X12_ENVELOPE", one.first, "ISA", f"rejected, TA105 {one.note}", whole=whole)


def _group(group: Group, fault: str, whole: bool) -> Reject:
    code, column, what = _GROUP_FAULTS[fault]
    return Reject(code, group.first, column, what, whole=whole)


def _set(one: TransactionSet, fault: str, whole: bool) -> Reject:
    code, what = _SET_CODES.get(fault, "X12_ENVELOPE"), verdicts.ENVELOPE_FAULTS_OF_A_SET[fault]
    if fault == "5" and one.findings:
        first = segment_reject(one.findings[0])
        return Reject(code, first.line, first.column, what, whole=whole)
    return Reject(code, one.first, "ST", what, whole=whole)
