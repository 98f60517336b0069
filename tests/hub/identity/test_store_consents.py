"""While two people are one member the stricter consent wins; a consent that is signed later decides anew."""

from typing import Any

import pytest

from hub import clock, reindex
from hub.rights.labels import HIV
from hub.rights.stricter import Denial, denials, rows_of
from hub.search.values import FOREVER, NEVER
from hub.store.engine import Database
from tests.hub.asking import Api, observation
from tests.hub.consenting import complete, consent
from tests.hub.identity_world import county, merged, registry_of, rights, unmerged
from tests.hub.reindexing import finish
from tests.hub.sighted import DAY, NOW, day, labelled, to

HARBOR, PIER = 11, 12
ROW = (1, HARBOR, 0, True, HIV, 1, 0, 100, 5, 0, 0, False)


def permit(**parts: Any) -> tuple[Any, ...]:
    names = ["patient", "recipient", "place", "permit", "labels", "purposes", "low", "high"]
    names += ["signed", "depth", "proxy", "medi_cal"]
    return tuple(parts.get(name, value) for name, value in zip(names, ROW, strict=True))


def test_what_both_permit_is_not_denied() -> None:
    assert denials([ROW], [permit(patient=2)], 10) == []


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ([], "nothing is permitted"),
        ([permit(recipient=PIER)], "another one is"),
        ([permit(labels=HIV << 1)], "another label is"),
        ([permit(purposes=2)], "another purpose is"),
        ([permit(low=50)], "it begins later"),
        ([permit(proxy=9)], "a proxy signed"),
        ([permit(medi_cal=True)], "it counts with Medi-Cal only"),
        ([permit(), permit(permit=False, recipient=PIER)], "it is denied to somebody"),
    ],
)
def test_what_only_one_permits_is_denied(other: list[Any], why: str) -> None:
    closed = [each for each in denials([ROW], other, 10) if each.recipient == HARBOR and each.labels & HIV]
    assert [(each.low, each.signed) for each in closed] == [(NEVER, 10)], why


def test_what_one_permits_for_longer_is_denied_from_then_on() -> None:
    assert denials([ROW], [permit(high=60)], 10) == [Denial(HARBOR, HIV, 60, 10)]


def test_what_has_ended_asks_for_no_denial() -> None:
    assert denials([permit(high=9)], [], 10) == []


def test_a_denial_is_not_older_than_any_permit() -> None:
    assert denials([permit(signed=70)], [], 10)[0].signed == 70


def test_a_denial_counts_from_then_on_and_for_every_purpose() -> None:
    (row,) = rows_of(7, [[HARBOR, HIV, 60, 10]])
    assert (row[0], row[1], row[3], row[4], row[6], row[7]) == (7, HARBOR, False, HIV, 60, FOREVER)


def agreed(who: str, days: float, identity: str = "") -> dict[str, Any]:
    """Somebody agreed so many days ago that Harbor sees the HIV results."""
    of = to("Patient", who)
    what = complete(marked="HIV", period={"start": day(-30), "end": day(30)})
    parts = {"patient": of, "performer": [of], "dateTime": day(days), "policyRule": {"text": "invented"}}
    return consent(what, **parts) | {"id": identity or f"c-{who}"}


@pytest.fixture
def api(swept: Database) -> Api:
    """Of Ann and Bob Harbor sees the HIV results: both agreed. Anna said nothing."""
    api = county(swept)
    for who in ("ann", "anna", "bob"):
        api.have(observation(f"hiv-{who}", subject=to("Patient", who), meta=labelled("HIV")))
    for who in ("ann", "bob"):
        api.have(agreed(who, -20))
    return api


def hiv_seen(api: Api) -> list[str]:
    return sorted(each for each in api.as_("harbor").found("/Observation") if each.startswith("hiv"))


def test_the_stricter_consent_wins_while_merged_and_all_is_as_it_was_afterwards(api: Api) -> None:
    registry = registry_of(api.database)
    assert hiv_seen(api) == ["hiv-ann", "hiv-bob"]
    merged(registry, "ann", "anna")
    assert hiv_seen(api) == ["hiv-bob"]
    unmerged(registry, "anna")
    assert hiv_seen(api) == ["hiv-ann", "hiv-bob"]


def test_it_wins_whoever_remains(api: Api) -> None:
    merged(registry_of(api.database), "anna", "ann")
    assert hiv_seen(api) == ["hiv-bob"]


def test_what_both_agreed_to_stays_open(api: Api) -> None:
    registry = registry_of(api.database)
    merged(registry, "ann", "bob")
    assert hiv_seen(api) == ["hiv-ann", "hiv-bob"]
    merged(registry, "anna", "ann")
    assert hiv_seen(api) == []
    unmerged(registry, "ann")
    assert hiv_seen(api) == ["hiv-ann", "hiv-bob"]


def test_a_consent_that_is_signed_after_the_merge_decides_anew(api: Api) -> None:
    merged(registry_of(api.database), "ann", "anna")
    assert hiv_seen(api) == ["hiv-bob"]
    api.have(agreed("ann", 1, "later"))
    assert hiv_seen(api) == ["hiv-bob"]  # not signed yet
    api.have(agreed("ann", (clock.now() - NOW) / DAY, "later"))
    assert hiv_seen(api) == ["hiv-ann", "hiv-anna", "hiv-bob"]


def test_the_denials_are_made_again_when_everything_is_indexed_anew(api: Api) -> None:
    merged(registry_of(api.database), "ann", "anna")
    before = rights(api.database)
    with api.database.write() as connection:
        reindex.everything(connection, 0)
    finish(api.database)
    assert rights(api.database) == before
    assert hiv_seen(api) == ["hiv-bob"]
