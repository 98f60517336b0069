"""hub send digest: what it says, and what it refuses."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from typer.testing import CliRunner

from adapters.digests.command import add_digest
from adapters.sending import Sending
from tests.adapters.digests.test_digests import CLIENT, World
from tests.adapters.digests.test_digests import world as world
from tests.hub.notifications.conftest import BASE


def run(world: World, *words: str, **options: Any) -> tuple[int, str]:
    feed = replace(world.feed, options={**world.feed.options, **options})
    feed = replace(feed, options={name: value for name, value in feed.options.items() if value is not None})
    loading = SimpleNamespace(feeds={"lantern": feed}, database=world.hub.database, own=world.digests.own)
    sending = Sending(
        cast(Any, loading), lambda name: world.access if name == CLIENT else None, None, BASE, cast(Any, None)
    )
    app = typer.Typer()
    app.command("other")(lambda: None)
    add_digest(app, lambda: sending)
    done = CliRunner().invoke(app, ["digest", *words])
    return done.exit_code, done.output


GOOD = ("lantern", "Group/panel", "--client", CLIENT, "--topic", "encounter-admission")


def test_it_says_what_was_sent(world: World) -> None:
    assert run(world, *GOOD) == (0, "0 rows.\nSent as digest-harbor-ehr-panel-000001.csv.\n")
    world.happens("enc-1")
    assert run(world, *GOOD) == (0, "1 rows.\nSent as digest-harbor-ehr-panel-000002.csv.\n")


@pytest.mark.parametrize(
    ("words", "options", "code", "said"),
    [
        ((*GOOD, "--topic", "nothing"), {}, 2, "There is no topic nothing"),
        (("nowhere", *GOOD[1:]), {}, 2, "A feed"),
        ((*GOOD[:3], "somebody"), {}, 2, "no such active client"),
        (GOOD, {"clients": ["another"]}, 2, "none of the feed's"),
        (GOOD, {"folder": None}, 2, "no place"),
        (("lantern", "Group/unknown", *GOOD[2:]), {}, 1, "may not read this panel"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    world: World, words: tuple[str, ...], options: dict[str, Any], code: int, said: str
) -> None:
    found, output = run(world, *words, **options)
    plain = " ".join(output.replace("│", " ").split())
    assert (found, said in plain) == (code, True), output
    assert not world.folder.exists()
