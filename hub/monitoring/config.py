"""`hub config check | show`: whether the settings can be used, all faults at once, and which values are in force.

Secrets are never shown: `(set)` stands for them. Warnings are what works and is seldom meant: a variable that no
setting has (a typo), an address that others reach without TLS, a file that is not there.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path

import typer
from sqlalchemy.engine import make_url

from hub.problems import CannotStart
from hub.settings import SETTINGS, Settings, SettingsError, read_settings

SECRET = ("SECRET", "PASSWORD", "TOKEN")
FILES = ("_FILE", "_CERT", "_KEY", "_CA", "_KNOWN_HOSTS")
KNOWN = {setting.name: setting for setting in SETTINGS}


def faults(environment: Mapping[str, str]) -> list[str]:
    """Every variable whose value cannot be used."""
    found = []
    for setting in SETTINGS:
        try:
            read_settings({setting.name: environment.get(setting.name, "")})
        except SettingsError as error:
            found.append(str(error))
    return found


def warnings(environment: Mapping[str, str], settings: Settings) -> Iterator[str]:
    for name in sorted(environment):
        if name.startswith("HUB_") and name not in KNOWN:
            yield f"{name} is no setting of this release (docs/settings.md)"
    for place in ("HTTP", "MLLP"):
        has_tls = settings["HUB_TLS_CERT" if place == "HTTP" else "HUB_MLLP_TLS_CERT"]
        if not _is_here(settings[f"HUB_{place}_HOST"]) and not has_tls:
            yield f"HUB_{place}_HOST is reached by others, without TLS of the hub's own: is a proxy before it?"
    if not _is_here(settings["HUB_MLLP_HOST"]) and not settings["HUB_MLLP_SENDERS"]:
        yield "HUB_MLLP_HOST is reached by others, without HUB_MLLP_SENDERS: who connects speaks for any facility"
    if not _is_here(settings["HUB_HTTP_HOST"]) and settings.base_url.startswith("http://"):
        yield "HUB_BASE_URL is http: tokens and records would travel in the clear"
    for setting in SETTINGS:
        given = environment.get(setting.name, "")
        if given and setting.name.endswith(FILES) and "SECRET" not in setting.name and not Path(given).exists():
            yield f"{setting.name} names a file that is not there"


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def shown(name: str, text: str) -> str:
    """A value for people: no secret, and no password in a URL."""
    if text and any(word in name for word in SECRET):
        return "(set)"
    return make_url(text).render_as_string(hide_password=True) if name == "HUB_DATABASE_URL" and text else text


def config_commands(check_start: Callable[[], None]) -> typer.Typer:
    """hub config check | show. `check_start` raises CannotStart or SettingsError."""
    app = typer.Typer(no_args_is_help=True, help="The settings of this deployment (docs/settings.md).")

    @app.command()
    def check() -> None:
        """Whether the hub could start with these settings: all faults, then warnings. Exit code 1 with faults."""
        found = faults(os.environ)
        if not found:
            try:
                check_start()
            except (CannotStart, SettingsError) as error:
                found.append(str(error))
            for text in warnings(os.environ, read_settings(os.environ)):
                typer.echo(f"warn  {text}")
        for text in found:
            typer.echo(f"FAIL  {text}")
        typer.echo(
            "The hub cannot start with these settings." if found else "The hub can start with these settings."
        )
        raise typer.Exit(1 if found else 0)

    @app.command()
    def show() -> None:
        """The settings that are not as shipped; secrets are not shown."""
        for setting in SETTINGS:
            given = os.environ.get(setting.name, "")
            if given and given != setting.default:
                typer.echo(f"{setting.name}={shown(setting.name, given)}")

    return app
