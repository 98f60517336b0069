"""The command `hub` with all its subcommands, each of the room that knows it."""

from collections.abc import Callable, Mapping
from typing import Any

from hub.front.parts import (
    VERSION,
    audit_folder,
    database,
    gathered,
    loading,
    loading_alone,
    moved,
    notice_rights,
    part2,
    parts,
    sending,
    settings,
)
from hub.front.starting import check_start, serve


def command_line(first: str = "") -> Any:
    """The command `hub` with all its subcommands, or with those alone that the room of `first` brings: what the
    others stand on need not be loaded for it."""
    import typer

    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="CalAIM FHIR Hub. Settings come from the environment: see docs/settings.md.",
    )
    app.callback()(_hub)  # without it, one command alone has no name
    for names, add in ROOMS.items():
        if first in names or not any(first in other for other in ROOMS):
            add(app)
    return app


def _hub() -> None:
    pass


def _running(app: Any) -> None:
    from hub.commands import add_serve

    add_serve(app, serve)


def _schema(app: Any) -> None:
    from hub.commands import add_migrate

    add_migrate(app, database)


def _health(app: Any) -> None:
    from hub.monitoring.doctor import add_doctor

    add_doctor(app, examination)


def _backup(app: Any) -> None:
    from hub.backup.commands import add_backup

    add_backup(app, backed_up, lambda: (settings(), database()))


def _config(app: Any) -> None:
    from hub.monitoring.config import config_commands

    app.add_typer(config_commands(check_start), name="config")


def _demo(app: Any) -> None:
    from hub.demo.commands import add_demo

    add_demo(app, make_demo)


def _auth(app: Any) -> None:
    from auth.command_line import add_auth

    add_auth(app, database, settings)


def _sending(app: Any) -> None:
    from adapters.adt.commands import send_commands
    from adapters.digests.command import add_digest
    from adapters.sending import add_sending

    sends = send_commands(settings)
    add_sending(sends, sending)
    add_digest(sends, sending)
    app.add_typer(sends, name="send")


def _files(app: Any) -> None:
    from hub.feeds.commands import add_load, files_commands

    add_load(app, loading_alone)
    app.add_typer(files_commands(loading), name="files")


def _inbox(app: Any) -> None:
    from hub.inbox.commands import inbox_commands

    app.add_typer(inbox_commands(moved), name="inbox")


def _outbox(app: Any) -> None:
    from hub.commands import outbox_commands

    app.add_typer(outbox_commands(database), name="outbox")


def _bulk(app: Any) -> None:
    from hub.bulk.commands import bulk_commands

    app.add_typer(bulk_commands(database), name="bulk")


def _referrals(app: Any) -> None:
    from hub.referrals import assembly as referrals
    from hub.referrals.commands import clocks_commands, referrals_commands
    from hub.referrals.form_command import add_form_link
    from hub.referrals.link_command import add_link

    app.add_typer(clocks_commands(database, lambda: referrals.clocks(settings())), name="clocks")
    of_referrals = referrals_commands(database, lambda: parts().own)
    add_form_link(of_referrals, database, settings)
    app.add_typer(add_link(of_referrals, lambda: parts().own, settings), name="referrals")


def _notices(app: Any) -> None:
    from hub.notifications.commands import notices_commands

    app.add_typer(notices_commands(database), name="notices")


def _identity(app: Any) -> None:
    from hub.identity.commands import identity_commands
    from hub.identity.desk import Registry

    app.add_typer(identity_commands(lambda: Registry.of(parts().own, settings().fhir_base)), name="identity")


def _ecm(app: Any) -> None:
    from hub.ecm.commands import ecm_commands

    app.add_typer(ecm_commands(lambda: notice_rights(parts()), lambda: settings().fhir_base), name="ecm")


def _audit(app: Any) -> None:
    from hub.audit.commands import audit_commands

    app.add_typer(audit_commands(database, audit_folder, lambda: settings().fhir_base), name="audit")


def _reindex(app: Any) -> None:
    from hub.reindex_commands import reindex_commands

    app.add_typer(reindex_commands(database, lambda: settings().fhir_base, part2=part2), name="reindex")


def _version(app: Any) -> None:
    app.command("version")(_tell_version)


def _tell_version() -> None:
    """Print the version."""
    import typer

    typer.echo(VERSION)


# the commands that a room brings, and what adds them
ROOMS: Mapping[tuple[str, ...], Callable[[Any], None]] = {
    ("serve",): _running,
    ("migrate",): _schema,
    ("doctor",): _health,
    ("backup", "restore"): _backup,
    ("config",): _config,
    ("demo",): _demo,
    ("clients", "keys", "users", "break-glass", "token", "launch"): _auth,
    ("load", "files"): _files,
    ("send",): _sending,
    ("inbox",): _inbox,
    ("outbox",): _outbox,
    ("bulk",): _bulk,
    ("clocks", "referrals"): _referrals,
    ("notices",): _notices,
    ("identity",): _identity,
    ("ecm",): _ecm,
    ("audit",): _audit,
    ("reindex",): _reindex,
    ("version",): _version,
}


def make_demo() -> Any:
    """What `hub demo` works with."""
    from adapters.adt.demo import admission_files
    from auth.demo import demo_client
    from hub.demo.commands import Demo

    chosen = settings()
    return Demo(
        database(),
        parts().own,
        chosen["HUB_CIN_SYSTEM"],
        chosen.fhir_base,
        chosen.data_dir / "demo",
        hospitals=lambda folder: admission_files(folder, chosen.facilities_file),
        client=lambda folder: demo_client(database(), folder),
    )


def backed_up() -> Any:
    """What `hub backup` copies."""
    from hub.backup.making import Source

    return Source(settings(), database(), gathered, VERSION)


def examination() -> Any:
    """What `hub doctor` looks at."""
    from hub.monitoring import assembly as monitoring
    from hub.referrals import assembly as referrals

    return monitoring.examination(database(), settings(), referrals.clocks(settings()))
