"""The rule that every write of an enrolment in ECM keeps, whichever way it comes: create, update, patch,
transaction, import. The front door hands it to the one writer (hub.write_rules).

Rules: docs/ecm-moves.md; hub.ecm.moves (the table), hub.ecm.history (since when it stands so).
- A plan's list that says no more than that the member is assigned does not undo what people did since. It opens an
  enrolment that is over again only where nobody said why it ended, or where it assigns the member from a later day
  on.
- An enrolment that is over has ended: `period.end` is no later than that.
Refuses (422): illegal moves, with those that are legal; another member, provider, type or number of the plan than
it had; its deletion by a client; codes of reasons and levels that are not configured (`code-invalid`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from hub import clock
from hub.access import Access
from hub.ecm.history import since, stamped
from hub.ecm.moves import HUB, PROVIDER, TABLE, issues
from hub.ecm.terms import (
    DISCONTINUATION,
    DISCONTINUATION_EXTENSION,
    ENGAGEMENT_EXTENSION,
    FINISHED,
    LEVEL,
    LEVEL_EXTENSION,
    OVER,
    PLANNED,
    Node,
    Resource,
    codes,
    discontinuation,
    extension,
    is_enrolment,
)
from hub.problems import Issue, Problem
from hub.referrals.parties import HUB_ROLES, is_named
from hub.referrals.terms import target

SYSTEM = "system"  # the role of the hub's own jobs
CODED = ((DISCONTINUATION_EXTENSION, DISCONTINUATION), (LEVEL_EXTENSION, LEVEL))
FIXED = ("patient", "managingOrganization")
MOVED = ("status", "careManager", "team")
OF_MOVES = (DISCONTINUATION_EXTENSION, LEVEL_EXTENSION, ENGAGEMENT_EXTENSION)
HasCode = Callable[[str, str], bool]  # whether a system has a code


@dataclass(frozen=True, slots=True)
class EnrolmentRule:
    """`base` is the hub's FHIR base; days are those of `zone`."""

    base: str
    has_code: HasCode
    zone: ZoneInfo
    now: clock.Clock = clock.now

    def __call__(
        self, before: Resource | None, now: Resource | None, access: Access, source: int
    ) -> Resource | None:
        """What is to be written. Raises Problem."""
        before = before if is_enrolment(before) else None
        if before is None and not is_enrolment(now):
            return now
        who = frozenset(_parties(access, before, now or before or {}, self.base))
        if now is None:
            _refuse_deletion(before or {}, who)
            return None
        if access.role == SYSTEM and before is not None:
            now = _as_far(before, now)
        found = [*issues(before, now, who), *_changed(before, now, who), *self._unknown(now, who)]
        if found:
            raise Problem.of(found)
        return _over(before, stamped(before, now, self.now().astimezone(self.zone)))

    def _unknown(self, now: Node, who: frozenset[str]) -> Iterator[Issue]:
        """Words of a file are its layout's: they are known there."""
        for url, system in CODED if HUB not in who else ():
            for code in codes(extension(now, url), system):
                if not self.has_code(system, code):
                    where = "EpisodeOfCare.extension"
                    yield Issue("code-invalid", "This code is not configured (HUB_TERMINOLOGY_DIR)", where)


def _parties(access: Access, before: Node | None, now: Node, base: str) -> Iterator[str]:
    if access.role in HUB_ROLES:
        yield HUB
    if is_named(access, before or now, "managingOrganization", base):
        yield PROVIDER


def _as_far(before: Resource, now: Resource) -> Resource:
    """What a plan's list says anew, with how far it came since. A file with a status of its own says it itself."""
    if extension(now, ENGAGEMENT_EXTENSION) is not None or _opens_anew(before, now):
        return now
    is_told = now.get("status") == PLANNED or (now.get("status") == FINISHED and before.get("status") in OVER)
    names = MOVED if is_told else [name for name in MOVED if name != "status" and name not in now]
    kept = {name: before[name] for name in names if name in before}
    theirs = [one for one in before.get("extension", ()) if one.get("url") in OF_MOVES]
    said = [one for one in now.get("extension", ()) if one.get("url") not in {one.get("url") for one in theirs}]
    found = [*said, *theirs]
    return {**now, **kept, **({"extension": found} if found else {})}


def _opens_anew(before: Node, now: Node) -> bool:
    if before.get("status") not in OVER or now.get("status") in OVER:
        return False
    start = str((now.get("period") or {}).get("start", ""))[:10]
    return not discontinuation(before) or bool(start and since(before) and start > since(before))


def _over(before: Node | None, now: Resource) -> Resource:
    ended = since(now)
    if now.get("status") not in OVER or not ended:
        return now
    period = now.get("period") or {}
    end = str(period.get("end", ""))
    if (end and end[:10] <= ended) or str(period.get("start", ""))[:10] > ended:
        return now
    return {**now, "period": {**period, "end": ended}}


def _refuse_deletion(episode: Node, who: frozenset[str]) -> None:
    if HUB in who:
        return
    named = ", ".join(one.to for one in TABLE.legal(str(episode.get("status")), who)) or "none"
    raise Problem("business-rule", f"An enrolment is not deleted. Legal moves: {named}", "EpisodeOfCare.status")


def _changed(before: Node | None, now: Node, who: frozenset[str]) -> Iterator[Issue]:
    """What an enrolment may not become on its way."""
    if before is None or HUB in who:
        return
    if not is_enrolment(now):
        yield Issue("business-rule", "An enrolment in ECM stays one", "EpisodeOfCare.type")
    for name in FIXED:
        if target(before.get(name)) != target(now.get(name)):
            yield Issue("business-rule", "This does not change: write another one", f"EpisodeOfCare.{name}")
    if [one for one in before.get("identifier", ()) if one not in now.get("identifier", ())]:
        yield Issue(
            "business-rule", "The numbers that it has stay: files find it by them", "EpisodeOfCare.identifier"
        )
