"""The command `hub` with all its subcommands, each of the room that knows it."""

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


def command_line() -> Any:
    """The command `hub` with all its subcommands."""
    import typer

    from adapters.adt.commands import send_commands
    from adapters.digests.command import add_digest
    from adapters.sending import add_sending
    from auth.command_line import add_auth
    from hub.audit.commands import audit_commands
    from hub.backup.commands import add_backup
    from hub.bulk.commands import bulk_commands
    from hub.commands import add_migrate, add_serve, outbox_commands
    from hub.demo.commands import add_demo
    from hub.ecm.commands import ecm_commands
    from hub.feeds.commands import add_load, files_commands
    from hub.identity.commands import identity_commands
    from hub.identity.desk import Registry
    from hub.inbox.commands import inbox_commands
    from hub.monitoring.config import config_commands
    from hub.monitoring.doctor import add_doctor
    from hub.notifications.commands import notices_commands
    from hub.referrals import assembly as referrals
    from hub.referrals.commands import clocks_commands, referrals_commands
    from hub.referrals.form_command import add_form_link
    from hub.referrals.link_command import add_link
    from hub.reindex_commands import reindex_commands

    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="CalAIM FHIR Hub. Settings come from the environment: see docs/settings.md.",
    )

    add_serve(app, serve)
    add_migrate(app, database)
    add_doctor(app, examination)
    add_backup(app, backed_up, lambda: (settings(), database()))
    app.add_typer(config_commands(check_start), name="config")
    add_demo(app, make_demo)
    add_auth(app, database, settings)
    sends = send_commands(settings)
    add_sending(sends, sending)
    add_digest(sends, sending)
    add_load(app, loading_alone)
    app.add_typer(files_commands(loading), name="files")
    app.add_typer(sends, name="send")
    app.add_typer(inbox_commands(moved), name="inbox")
    app.add_typer(outbox_commands(database), name="outbox")
    app.add_typer(bulk_commands(database), name="bulk")
    app.add_typer(clocks_commands(database, lambda: referrals.clocks(settings())), name="clocks")
    of_referrals = referrals_commands(database, lambda: parts().own)
    add_form_link(of_referrals, database, settings)
    app.add_typer(add_link(of_referrals, lambda: parts().own, settings), name="referrals")
    app.add_typer(notices_commands(database), name="notices")
    app.add_typer(identity_commands(lambda: Registry.of(parts().own, settings().fhir_base)), name="identity")
    app.add_typer(ecm_commands(lambda: notice_rights(parts()), lambda: settings().fhir_base), name="ecm")
    app.add_typer(audit_commands(database, audit_folder, lambda: settings().fhir_base), name="audit")
    app.add_typer(reindex_commands(database, lambda: settings().fhir_base, part2=part2), name="reindex")

    @app.command()
    def version() -> None:
        """Print the version."""
        typer.echo(VERSION)

    return app


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
