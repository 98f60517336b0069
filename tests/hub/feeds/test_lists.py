"""A feed's Group keeps what `$member-add` and `$member-remove` said of its members (docs/feeds.md "Groups")."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hub.access import Access
from hub.feeds import lists
from hub.feeds.loading import Loading
from hub.fhir.bundles import Entry
from hub.operations.member_list import Attribution, added, removed
from hub.store.engine import Database
from tests.hub.feeds.toy import file_of, load, stored, toy_loading

PEOPLE = (
    "P,ann,91230000A,Ann,1980-05-01",
    "P,bob,91230001A,Bob,1955-11-30",
    "P,cat,91230002A,Cat,1966-02-02",
)
CIN = {line.split(",")[1]: line.split(",")[2] for line in PEOPLE}


@pytest.fixture
def loading(database: Database, tmp_path: Path) -> Loading:
    found = toy_loading(database, tmp_path)
    load(found, file_of(tmp_path, "people.csv", *PEOPLE, panel("ann", "2026-01-01"), panel("bob", "2026-01-01")))
    return found


def panel(who: str, since: str) -> str:
    return f"G,{who},{CIN[who]},{since}"


def patients(database: Database) -> dict[str, str]:
    found = {one["id"]: one["name"][0]["family"].lower() for one in stored(database, "Patient")}
    return {name: f"Patient/{identity}" for identity, name in found.items()}


def members(database: Database) -> dict[str, tuple[str, bool]]:
    """Since when each is on the list, and whether they are not any more."""
    (group,) = stored(database, "Group")
    named = {reference: name for name, reference in patients(database).items()}
    told = {named[one["entity"]["reference"]]: one for one in group["member"]}
    assert len(told) == len(group["member"])
    assert group["quantity"] == sum(not one.get("inactive") for one in told.values())
    return {name: (one["period"]["start"], one.get("inactive", False)) for name, one in told.items()}


def change(loading: Loading, who: str, adds: bool) -> None:
    """As the operations do, by who may write the Group."""
    wanted = Attribution(patients(loading.database)[who])
    how: Any = partial(added if adds else removed, wanted=wanted, same=lambda one, name: one["reference"] == name)
    (group,) = stored(loading.database, "Group")
    changed = how(group, today="2026-02-02") if adds else how(group, now="2026-02-02")
    entry = Entry("PUT", "Group", id=group["id"], resource=changed)
    loading.own.commit([entry], Access.system("the plan's API"))


def test_who_was_added_stays_when_the_feed_changes_the_list(loading: Loading, tmp_path: Path) -> None:
    change(loading, "cat", adds=True)
    load(loading, file_of(tmp_path, "b.csv", panel("ann", "2026-03-01")))
    assert members(loading.database) == {
        "ann": ("2026-03-01", False),
        "bob": ("2026-01-01", False),
        "cat": ("2026-02-02", False),
    }


def test_who_was_removed_or_added_again_stays_so_until_the_feed_says_more(loading: Loading, tmp_path: Path) -> None:
    load(loading, file_of(tmp_path, "b.csv", panel("ann", "-2026-01-01")))
    change(loading, "ann", adds=True)
    change(loading, "bob", adds=False)
    load(loading, file_of(tmp_path, "c.csv", panel("cat", "2026-03-01")))
    assert members(loading.database) == {
        "ann": ("2026-02-02", False),
        "bob": ("2026-01-01", True),
        "cat": ("2026-03-01", False),
    }
    load(loading, file_of(tmp_path, "d.csv", panel("bob", "2026-04-01"), panel("ann", "-2026-04-01")))
    assert members(loading.database) == {
        "ann": ("2026-04-01", True),
        "bob": ("2026-04-01", False),
        "cat": ("2026-03-01", False),
    }


def test_who_is_added_while_the_feed_makes_the_list_ready_stays(
    loading: Loading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, left = lists.with_others, ["cat"]

    def meanwhile(*given: Any) -> Entry:
        entry = asked(*given)
        if left:
            change(loading, left.pop(), adds=True)
        return entry

    monkeypatch.setattr(lists, "with_others", meanwhile)
    load(loading, file_of(tmp_path, "b.csv", panel("ann", "2026-03-01")))
    assert members(loading.database) == {
        "ann": ("2026-03-01", False),
        "bob": ("2026-01-01", False),
        "cat": ("2026-02-02", False),
    }


def test_the_list_is_not_written_where_nothing_is_new(loading: Loading, tmp_path: Path) -> None:
    change(loading, "cat", adds=True)
    (before,) = stored(loading.database, "Group")
    load(loading, file_of(tmp_path, "b.csv", panel("ann", "2026-01-01"), panel("bob", "2026-01-01")))
    (after,) = stored(loading.database, "Group")
    assert after == before
