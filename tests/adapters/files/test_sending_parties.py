"""What one party may see is not put at another party's place (docs/feeds.md "Sending")."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from adapters.sending import Sending, add_sending
from hub.access import Access
from hub.feeds.configured import feeds
from hub.feeds.partners import goes_to
from hub.problems import CannotStart
from hub.store.engine import Database
from tests.hub.feeds.toy import TOY, toy_feed, toy_loading

PLAN, OTHER = "Organization/plan", "county"


def who(client: str, organization: str = "") -> Access:
    return replace(Access.system("test", source=organization), who=client)


@pytest.mark.parametrize(
    ("options", "organization", "client", "goes"),
    [
        ({"clients": ["plan"]}, "", who("plan"), True),
        ({"clients": ["plan"]}, "", who(OTHER), False),
        ({}, PLAN, who("plan", PLAN), True),
        ({}, PLAN, who(OTHER, "Organization/county"), False),
        ({}, "", who("plan"), False),
        ({"sends_to": ["plan"]}, "", who("plan"), True),
        ({"clients": ["plan", OTHER], "sends_to": ["plan"]}, PLAN, who(OTHER, PLAN), False),
        ({"sends_to": []}, PLAN, who("plan", PLAN), False),
    ],
)
def test_a_file_goes_to_a_client_that_the_feed_names(
    options: dict[str, Any], organization: str, client: Access, goes: bool
) -> None:
    assert goes_to(client, toy_feed(options=options, organization=organization)) is goes


@pytest.fixture
def app(database: Database, tmp_path: Path) -> typer.Typer:
    place = {"path": str(tmp_path / "feed"), "match": "*"}
    feed = toy_feed(options={"clients": ["plan"], "folder": place, "cin_system": "urn:example:cin"})
    loading = toy_loading(database, tmp_path, feed)
    made = typer.Typer()
    add_sending(made, lambda: Sending(loading, who, None, "http://hub.test/fhir", who))
    return made


def sent(app: typer.Typer, client: str, *words: str) -> Any:
    asked = ["housing", "toy", "--client", client, "--since", "2026-01-01", "--name", "housing.csv", *words]
    return CliRunner().invoke(app, asked)


def test_another_partys_view_is_not_put_at_the_feeds_place_unless_somebody_says_so(
    app: typer.Typer, tmp_path: Path
) -> None:
    place = tmp_path / "feed" / "out" / "housing.csv"
    done = sent(app, OTHER)
    assert done.exit_code == 2
    assert "--anyway" in done.output
    assert not place.exists()
    assert sent(app, OTHER, "--anyway").exit_code == 0
    assert place.exists()


def test_the_feeds_own_client_and_a_file_of_ones_own_need_no_word(app: typer.Typer, tmp_path: Path) -> None:
    assert sent(app, "plan").exit_code == 0
    assert sent(app, OTHER, "--out", str(tmp_path / "mine.csv")).exit_code == 0
    assert (tmp_path / "mine.csv").exists()


@pytest.mark.parametrize("key", ["clients", "sends_to"])
@pytest.mark.parametrize("value", ['"plan"', "[1]"])
def test_clients_are_a_list_so_that_part_of_a_name_is_nobody(tmp_path: Path, key: str, value: str) -> None:
    (tmp_path / "feeds.toml").write_text(f'[feeds.a]\nkind = "toy"\n{key} = {value}\n')
    with pytest.raises(CannotStart, match=key):
        feeds(tmp_path / "feeds.toml", {"toy": TOY}, {})
