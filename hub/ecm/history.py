"""Since when an enrolment stands as it does: EpisodeOfCare.statusHistory, which the hub keeps. Pure.

Rules: https://hl7.org/fhir/R4/episodeofcare-definitions.html#EpisodeOfCare.statusHistory; as in HL7's example the
status of now is the last entry, without an end.
- A client changes nothing of what was. Of the status that it brings it may say since when it holds, in a last
  entry of its own: a day between the former one's and today. Otherwise it holds since the hub had it.
- What is new may bring its past along. Without one it holds since `period` says (its start; of one that is over
  its end), as far as that is not to come.
"""

from datetime import datetime
from typing import Any

from hub.ecm.terms import OVER, Node, Resource


def stamped(before: Node | None, now: Resource, at: datetime) -> Resource:
    """The episode with its history. `at` is now, in the deployment's time zone."""
    moment, status = at.isoformat(timespec="microseconds"), str(now.get("status"))
    if before is None:
        return _with(now, _brought(now, moment) or [_entry(status, _began(now, moment))])
    past = _past(before, moment)
    if past[-1]["status"] == status:
        return _with(now, past)
    since = _since(now, past[-1], moment)
    return _with(now, [*past[:-1], _ended(past[-1], since), _entry(status, since)])


def since(episode: Node) -> str:
    """The day since when it stands as it does; empty where nobody says it."""
    last = (episode.get("statusHistory") or [{}])[-1]
    return str(last.get("period", {}).get("start", ""))[:10] if last.get("status") == episode.get("status") else ""


def _with(now: Resource, history: list[Any]) -> Resource:
    return now if now.get("statusHistory") == history else {**now, "statusHistory": history}


def _entry(status: str, start: str) -> Resource:
    return {"status": status, "period": {"start": start}}


def _ended(entry: Node, end: str) -> Resource:
    return {**entry, "period": {**entry.get("period", {}), "end": end}}


def _brought(now: Node, moment: str) -> list[Any]:
    """The past that a new one brings, if it leads to what it is."""
    history = list(now.get("statusHistory", ()))
    fits = history and history[-1].get("status") == now.get("status") and "end" not in history[-1].get("period", {})
    starts = [str(one.get("period", {}).get("start", "")) for one in history]
    return (
        history if fits and starts == sorted(starts) and "" not in starts and starts[-1][:10] <= moment[:10] else []
    )


def _began(now: Node, moment: str) -> str:
    said = str((now.get("period") or {}).get("end" if now.get("status") in OVER else "start", ""))
    return said if len(said) >= len("yyyy-mm-dd") and said[:10] <= moment[:10] else moment


def _past(before: Node, moment: str) -> list[Any]:
    """What is stored; of what was stored before the hub kept it, as much as it says."""
    history = list(before.get("statusHistory", ()))
    if history and history[-1].get("status") == before.get("status"):
        return history
    written = str((before.get("meta") or {}).get("lastUpdated", moment))
    return [*history, _entry(str(before.get("status")), _began(before, written))]


def _since(now: Node, last: Node, moment: str) -> str:
    said = (now.get("statusHistory") or [{}])[-1]
    span = said.get("period", {})
    start, former = str(span.get("start", "")), str(last.get("period", {}).get("start", ""))
    is_theirs = said.get("status") == now.get("status") and "end" not in span and said != last
    fits = len(start) >= len("yyyy-mm-dd") and former[:10] <= start[:10] <= moment[:10]
    return start if is_theirs and fits else moment
