"""Commands on people: `hub users …`, and `hub launch`, which starts an app as an EHR would.

A password is typed at the terminal or read from a file, never given as an argument: arguments are seen by others on
the machine and kept by shells.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from auth.roles import ROLES
from hub import clock
from hub.settings import Settings
from hub.store.engine import Database

GetDatabase = Callable[[], Database]
GetSettings = Callable[[], Settings]

Login = Annotated[str, typer.Argument(help="The person's login.")]
PasswordFile = Annotated[
    Path | None, typer.Option(help="File with the password, `-` for the standard input; else it is asked for.")
]


def user_commands(database: GetDatabase, settings: GetSettings) -> typer.Typer:
    """hub users add | list | disable | enable | password | totp | unlock | link."""
    app = typer.Typer(no_args_is_help=True, help="People who sign in for an app.")
    _add_add(app, database, settings)
    _add_states(app, database, settings)
    _add_proofs(app, database, settings)
    return app


def _add_add(app: typer.Typer, database: GetDatabase, settings: GetSettings) -> None:
    @app.command()
    def add(
        login: Login,
        name: Annotated[str, typer.Option(help="The person's name, such as 'Robin Demo'.")],
        role: Annotated[list[str], typer.Option(help=f"One of {', '.join(ROLES)}; may be repeated.")],
        fhir_user: Annotated[str, typer.Option(help="Who it is in FHIR, such as Practitioner/1.")] = "",
        organization: Annotated[str, typer.Option(help="Whose people it is of: Organization/harbor.")] = "",
        password_file: PasswordFile = None,
        elsewhere: Annotated[bool, typer.Option(help="No password: the person signs in elsewhere.")] = False,
    ) -> None:
        """Make an account.

        hub users add robin --name "Robin Demo" --role ecm-provider --fhir-user Practitioner/robin
        """
        hashed = "" if elsewhere else _hashed(login, password_file, settings())
        user = _users().User("", login, name, fhir_user, tuple(role), organization, password_hash=hashed)
        added = _told(lambda: database().writing(lambda c: _users().add(c, user, clock.now())))
        typer.echo(f"Added {added.login} ({', '.join(added.roles)}).")
        if hashed and any(each in settings()["HUB_MFA_ROLES"] for each in role):
            typer.echo("This role needs a second factor. For the person's authenticator app, shown this once:")
            typer.echo(_new_factor(database, settings, added.login))

    @app.command("list")
    def list_() -> None:
        """List the accounts."""
        with database().read() as connection:
            found = _users().listed(connection)
        for user in found:
            state = "active" if user.active else "disabled"
            proofs = [
                word
                for word, has in (
                    ("password", user.password_hash),
                    ("totp", user.totp_secret),
                    ("elsewhere", user.subject),
                )
                if has
            ]
            roles, proved = ",".join(user.roles), ",".join(proofs)
            typer.echo(
                f"{user.login:<24} {state:<9} {roles:<26} {proved:<14} {user.fhir_user}  {user.organization}"
            )


def _add_states(app: typer.Typer, database: GetDatabase, settings: GetSettings) -> None:
    @app.command()
    def disable(login: Login) -> None:
        """Take a person's access away: signed out everywhere, and their apps' tokens are gone."""
        _told(lambda: database().writing(lambda c: _users().set_active(c, login, False, clock.now())))
        typer.echo(f"Disabled {login}.")

    @app.command()
    def enable(login: Login) -> None:
        """Give a disabled account back its access."""
        _told(lambda: database().writing(lambda c: _users().set_active(c, login, True, clock.now())))
        typer.echo(f"Enabled {login}.")

    @app.command()
    def unlock(login: Login) -> None:
        """Let somebody try again who failed too often."""
        from auth import throttle
        from auth.recorded import changed
        from auth.sign_in import login_key

        key = login_key(settings().secret_key(), login)

        def work(connection: Any) -> bool:
            user = _users().find(connection, login)
            changed(connection, "user-change", f"users unlock {user.id if user else ''}")
            return throttle.unlock(connection, key)

        was = database().writing(work)
        typer.echo(f"Unlocked {login}." if was else f"{login} was not locked.")


def _add_proofs(app: typer.Typer, database: GetDatabase, settings: GetSettings) -> None:
    @app.command()
    def password(login: Login, password_file: PasswordFile = None) -> None:
        """Replace a password; the person is signed out everywhere."""
        hashed = _hashed(login, password_file, settings())
        _told(lambda: database().writing(lambda c: _users().set_password(c, login, hashed, clock.now())))
        typer.echo(f"Changed the password of {login}.")

    @app.command()
    def totp(
        login: Login, remove: Annotated[bool, typer.Option(help="Take the second factor away instead.")] = False
    ) -> None:
        """Make a new second factor, and print what the person's authenticator app is given, once."""
        if remove:
            _told(lambda: database().writing(lambda c: _users().set_second_factor(c, login, None, clock.now())))
            typer.echo(f"{login} has no second factor any more.")
            return
        typer.echo(_new_factor(database, settings, login))

    @app.command()
    def link(
        login: Login,
        subject: Annotated[str, typer.Option(help="The person's `sub` there; empty ends the link.")],
    ) -> None:
        """Say who a person of the other sign-in service (HUB_OIDC_ISSUER) is here."""
        issuer = settings()["HUB_OIDC_ISSUER"]
        if not issuer:
            raise typer.BadParameter("HUB_OIDC_ISSUER is not set")
        _told(lambda: database().writing(lambda c: _users().link(c, login, issuer, subject, clock.now())))
        typer.echo(f"Linked {login}." if subject else f"{login} is linked no more.")


def add_launch(app: typer.Typer, database: GetDatabase, settings: GetSettings) -> None:
    @app.command()
    def launch(
        client: Annotated[str, typer.Argument(help="The id of the app, registered with a launch address.")],
        patient: Annotated[str, typer.Option(help="The id of the patient that is open.")] = "",
        encounter: Annotated[str, typer.Option(help="The id of the encounter that is open.")] = "",
        user: Annotated[str, typer.Option(help="The login of the only person the launch is for.")] = "",
    ) -> None:
        """Print the address that starts an app as an EHR would: for a few minutes, and once."""
        from auth import clients, launch
        from auth.launch_endpoint import user_id

        def made(connection: Any) -> str:
            found = clients.find(connection, client)
            if found is None:
                raise launch.LaunchError("There is no such app")
            opened = launch.Launch(patient, encounter, user_id(connection, user))
            seconds = settings()["HUB_LAUNCH_SECONDS"]
            value = launch.create(connection, found, opened, clock.now(), seconds)
            return launch.url(found, settings().fhir_base, value)

        try:
            typer.echo(database().writing(made))
        except launch.LaunchError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None


def _new_factor(database: GetDatabase, settings: GetSettings, login: str) -> str:
    from auth import second_factor

    secret, now = second_factor.new_secret(), clock.now()
    sealed = second_factor.sealed(settings().secret_key(), secret, now)
    user = _told(lambda: database().writing(lambda c: _users().set_second_factor(c, login, sealed, now)))
    return second_factor.address(secret, user.login)


def _hashed(login: str, file: Path | None, settings: Settings) -> str:
    from auth.passwords import PasswordError, hashed

    try:
        return hashed(_password(file), login, settings["HUB_PASSWORD_LENGTH"])
    except PasswordError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _password(file: Path | None) -> str:
    if file is None:
        typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    return text.rstrip("\r\n")


def _users() -> ModuleType:
    from auth import users

    return users


def _told(work: Callable[[], Any]) -> Any:
    """UserError as a sentence and exit code 1, not as a trace."""
    try:
        return work()
    except _users().UserError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
