"""Commands on clients and tokens: `hub clients …`, `hub token`.

The libraries of OAuth are imported when a command needs them: `hub serve` lists these commands, too.
"""

import json
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from auth.client_words import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, KINDS, REFRESH_TOKEN, SYMMETRIC
from auth.roles import ROLES
from hub import clock
from hub.settings import Settings
from hub.store.engine import Database

GetDatabase = Callable[[], Database]
GetSettings = Callable[[], Settings]

Id = Annotated[str, typer.Argument(help="The client's id.")]
Jwks = Annotated[
    str | None, typer.Option(help="The client's public keys: a JWKS file, or the https address of one.")
]


def client_commands(database: GetDatabase, settings: GetSettings) -> typer.Typer:
    """hub clients add | list | disable | enable | rotate | secret | webhook-secret | new-key."""
    app = typer.Typer(no_args_is_help=True, help="Systems that may ask for tokens.")

    _add_registration(app, database)

    @app.command("list")
    def list_() -> None:
        """List the clients."""
        with database().read() as connection:
            found = _register().listed(connection)
        for client in found:
            state = "active" if client.active else "disabled"
            typer.echo(f"{client.id:<24} {client.role:<26} {state:<9} {client.scopes}  {client.name}")

    @app.command()
    def disable(id: Id) -> None:
        """Take a client's access away; its tokens die within ten seconds."""
        _told(lambda: database().writing(lambda c: _register().disable(c, id)))
        typer.echo(f"Disabled {id}.")

    @app.command()
    def enable(id: Id) -> None:
        """Give a disabled client its access back, with the keys and scopes it had."""
        _told(lambda: database().writing(lambda c: _register().enable(c, id)))
        typer.echo(f"Enabled {id}.")

    @app.command()
    def rotate(
        id: Id,
        jwks: Jwks = None,
        webhook: Annotated[bool, typer.Option(help="Also (or only) make a new webhook secret.")] = False,
    ) -> None:
        """Replace a client's keys, or its webhook secret."""
        if jwks is None and not webhook:
            raise typer.BadParameter("give --jwks, --webhook or both")
        if jwks is not None:
            by_value, by_url = _keys(jwks)
            _told(lambda: database().writing(lambda c: _register().rotate(c, id, by_value, by_url)))
        if webhook:
            _told(lambda: database().writing(lambda c: _register().rotate_webhook_secret(c, id)))
        typer.echo(f"Rotated {id}.")

    _add_secret(app, database)
    _add_webhook_secret(app, database, settings)
    _add_new_key(app)
    return app


def _add_registration(app: typer.Typer, database: GetDatabase) -> None:
    @app.command()
    def add(
        id: Id,
        name: Annotated[str, typer.Option(help="Display name, such as 'Sunrise EHR'.")],
        role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")],
        scope: Annotated[str, typer.Option(help="SMART scopes it may have, such as 'system/*.cruds'.")],
        jwks: Jwks = None,
        kind: Annotated[str, typer.Option(help=f"One of {', '.join(KINDS)}.")] = KINDS[0],
        organization: Annotated[
            str,
            typer.Option(help="Whose client it is, such as Organization/harbor; empty for an app of anybody's."),
        ] = "",
        purpose: Annotated[
            list[str] | None, typer.Option(help="Purpose of use it may name, such as TREAT. May be repeated.")
        ] = None,
        redirect: Annotated[
            list[str] | None, typer.Option(help="Address that codes may go to, compared whole. May be repeated.")
        ] = None,
        launch: Annotated[str, typer.Option(help="Address where an EHR launches the app.")] = "",
        certificate: Annotated[
            str, typer.Option(help="SHA-256 (x5t#S256) of the certificate that its tokens are bound to.")
        ] = "",
        days: Annotated[int, typer.Option(help="Days until it is switched off by itself; 0 is never.", min=0)] = 0,
        resource_server: Annotated[
            bool, typer.Option(help="May introspect the tokens of other clients, too.")
        ] = False,
    ) -> None:
        """Register a client: a backend with keys, or an app that people sign in to (--redirect).

        hub clients add ehr-1 --name "Sunrise EHR" --role ecm-provider --scope "system/*.cruds" --jwks keys.json

        hub clients add chart --name "Chart App" --role ecm-provider --kind public --redirect https://app.example/back
        --scope "openid fhirUser offline_access launch patient/*.rs"
        """
        by_value, by_url = _keys(jwks)
        register, now = _register(), clock.now()
        secret = register.made_secret() if kind == SYMMETRIC else ""
        client = register.Client(
            id,
            name,
            role,
            scope,
            by_value,
            by_url,
            kind=kind,
            organization=organization,
            purposes=tuple(purpose or ()),
            redirect_uris=tuple(redirect or ()),
            grant_types=_grant_types(bool(redirect), scope),
            launch_uri=launch,
            secret_hash=register.hashed_secret(secret) if secret else "",
            certificate=certificate,
            expires=clock.micros(now + timedelta(days=days)) if days else 0,
            resource_server=resource_server,
        )
        added = _told(lambda: database().writing(lambda c: register.add(c, client, now)))
        typer.echo(f"Added {added.id} ({added.role}) with {added.scopes}.")
        if secret:
            typer.echo(f"Its secret, told this once: {secret}")


def _add_secret(app: typer.Typer, database: GetDatabase) -> None:
    @app.command()
    def secret(id: Id) -> None:
        """Give a symmetric client a new secret, told once; its tokens die within ten seconds."""
        typer.echo(_told(lambda: database().writing(lambda c: _register().new_secret(c, id))))


def _add_webhook_secret(app: typer.Typer, database: GetDatabase, settings: GetSettings) -> None:
    @app.command("webhook-secret")
    def webhook_secret(id: Id) -> None:
        """Print the secret that signs this client's notices (Standard Webhooks, whsec_…)."""
        with database().read() as connection:
            client = _register().find(connection, id)
        if client is None:
            typer.echo(f"There is no client {id}.", err=True)
            raise typer.Exit(1)
        from auth.webhook_secret import secret_for

        typer.echo(secret_for(settings().secret_key(), client.id, client.webhook_generation))


def _add_new_key(app: typer.Typer) -> None:
    @app.command("new-key")
    def new_key(
        path: Annotated[Path, typer.Argument(help="The file of the private key to make, such as ehr-1.jwk.json.")],
    ) -> None:
        """Make a key pair (ES384): the private JWK at PATH, for its owner alone, and PATH.jwks to register."""
        from auth.development_token import new_key as made
        from auth.development_token import public_jwks

        if path.exists():
            raise typer.BadParameter(f"{path} is there already")
        key, public = made("ES384"), path.with_name(f"{path.name}.jwks")
        write_private(path, key)
        public.write_text(json.dumps(public_jwks(key)), encoding="utf-8")
        typer.echo(f"Private: {path}   Public, for `hub clients add --jwks`: {public}")


def write_private(path: Path, key: Mapping[str, Any]) -> None:
    """A file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(key, file)


def add_token(app: typer.Typer, settings: GetSettings) -> None:
    @app.command()
    def token(
        client: Annotated[str, typer.Option(help="The client's id.")],
        key: Annotated[Path, typer.Option(help="Its private key, a JWK file.", exists=True, dir_okay=False)],
        scope: Annotated[str, typer.Option(help="Scopes to ask for, such as 'system/*.rs'.")],
    ) -> None:
        """Sign a client assertion and print an access token. For development: real clients sign their own."""
        from auth.development_token import TokenRefusedError, fetch_token
        from auth.discovery import token_url

        private: dict[str, Any] = _json(key)
        try:
            answer = fetch_token(token_url(settings().base_url), client, private, scope)
        except TokenRefusedError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        typer.echo(answer["access_token"])


def _register() -> ModuleType:
    from auth import clients

    return clients


def _grant_types(has_redirect: bool, scope: str) -> tuple[str, ...]:
    """A client with an address for codes is an app; it is a backend as well where it has system/ scopes."""
    if not has_redirect:
        return (CLIENT_CREDENTIALS,)
    apps = (AUTHORIZATION_CODE, REFRESH_TOKEN)
    return (CLIENT_CREDENTIALS, *apps) if scope.startswith("system/") or " system/" in scope else apps


def _keys(jwks: str | None) -> tuple[dict[str, Any] | None, str | None]:
    if jwks is not None and jwks.startswith(("https:", "http:")):
        return None, jwks
    return (None if jwks is None else _json(Path(jwks))), None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise typer.BadParameter(f"{path} is not a JSON file") from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{path} is not a JSON object")
    return found


def _told(work: Callable[[], Any]) -> Any:
    """ClientError as a sentence and exit code 1, not as a trace."""
    try:
        return work()
    except _register().ClientError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
