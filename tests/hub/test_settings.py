"""Settings: read once, from the environment, and refused by name."""

import os
import stat
from pathlib import Path

import pytest

from hub.notifications.subscriptions import Served
from hub.settings import SETTINGS, SettingsError, read_settings


def test_an_empty_environment_gives_settings_that_work() -> None:
    found = read_settings({})
    assert found.fhir_base == "http://127.0.0.1:8080/fhir"
    assert found.database_url == f"sqlite:///{Path('var/hub.db').absolute()}"
    assert found["HUB_MAX_BUNDLE_ENTRIES"] == 500
    assert found["HUB_ADT_PRODUCTION"] is False
    assert found.facilities_file == Path("var/facilities.csv")


def test_an_empty_variable_is_as_none() -> None:
    assert read_settings({setting.name: "" for setting in SETTINGS}) == read_settings({})


@pytest.mark.parametrize(
    ("name", "text"),
    [("HUB_HTTP_PORT", "http"), ("HUB_HTTP_PORT", "70000"), ("HUB_MLLP_PORT", "-1"), ("HUB_WEB_THREADS", "0"),
     ("HUB_MAX_BODY_BYTES", "10MB"), ("HUB_ADT_PRODUCTION", "maybe"), ("HUB_PAGE_SIZE", "-5"),
     ("HUB_CORS_ORIGINS", "https://app.example/"), ("HUB_CORS_ORIGINS", "app.example"),
     ("HUB_PLAN_API_POLL_MINUTES", "0"), ("HUB_PLAN_API_POLL_MINUTES", "nan")],
)  # fmt: skip
def test_a_value_that_cannot_be_used_is_refused_by_name_and_not_shown(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({name: text})
    assert str(caught.value).startswith(f"{name} ")
    assert f" {text} " not in str(caught.value)


def test_values_are_parsed() -> None:
    found = read_settings(
        {"HUB_BASE_URL": "https://hub.example/", "HUB_ADT_PRODUCTION": "Yes", "HUB_WEBHOOK_HOSTS": "a:1, b ,"}
    )
    assert found.fhir_base == "https://hub.example/fhir"
    assert found["HUB_ADT_PRODUCTION"] is True
    assert found["HUB_WEBHOOK_HOSTS"] == ("a:1", "b")


def test_the_secret_key_is_made_once_and_kept_for_the_owner_only(tmp_path: Path) -> None:
    found = read_settings({"HUB_DATA_DIR": str(tmp_path / "data")})
    first = found.secret_key()
    assert len(first) >= 32
    assert found.secret_key() == first
    assert stat.S_IMODE(os.stat(tmp_path / "data" / "secret.key").st_mode) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret.key"]


@pytest.mark.parametrize("left", [0, 1, 31])
def test_a_kept_secret_key_that_was_cut_off_is_refused(tmp_path: Path, left: int) -> None:
    (tmp_path / "secret.key").write_bytes(b"k" * left)
    with pytest.raises(SettingsError, match="cut off"):
        read_settings({"HUB_DATA_DIR": str(tmp_path)}).secret_key()
    assert (tmp_path / "secret.key").read_bytes() == b"k" * left


def test_a_given_secret_key_is_used_and_a_short_one_refused(tmp_path: Path) -> None:
    data = {"HUB_DATA_DIR": str(tmp_path)}
    assert read_settings(data | {"HUB_SECRET_KEY": "k" * 32}).secret_key() == b"k" * 32
    with pytest.raises(SettingsError):
        read_settings(data | {"HUB_SECRET_KEY": "short"}).secret_key()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, ""),
        ({"HUB_WEBSOCKET_PORT": "8081"}, "ws://127.0.0.1:8081/"),
        ({"HUB_WEBSOCKET_PORT": "8081", "HUB_WEBSOCKET_URL": "wss://hub.example/ws"}, "wss://hub.example/ws"),
        ({"HUB_WEBSOCKET_URL": "wss://hub.example/ws"}, "wss://hub.example/ws"),
    ],
    ids=["none", "this node", "this node behind a proxy", "the worker of another node"],
)
def test_websockets_are_offered_where_some_node_serves_them(given: dict[str, str], address: str) -> None:
    settings = read_settings(given)
    assert settings.websocket_url == address
    assert Served.of(settings).sockets == bool(address)
