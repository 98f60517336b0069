"""The command `hub send adt`: messages from files, through a real socket."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from adapters.adt import tls
from adapters.adt.header import NoHeader
from adapters.adt.mllp_client import Held, NoAcknowledgment, Sender
from hub.settings import Settings


def send_commands(settings: Callable[[], Settings]) -> typer.Typer:
    """hub send adt FILE…"""
    app = typer.Typer(no_args_is_help=True, help="Send messages as a hospital would.")

    @app.callback()
    def only_adt() -> None:
        """Keeps `adt` a subcommand: other kinds of files will follow."""

    @app.command()
    def adt(
        files: Annotated[list[Path], typer.Argument(help="HL7 v2 files, a message each.", exists=True)],
        host: Annotated[str | None, typer.Option(help="MLLP host; HUB_MLLP_HOST if not given.")] = None,
        port: Annotated[int | None, typer.Option(help="MLLP port; HUB_MLLP_PORT if not given.")] = None,
        ca: Annotated[Path | None, typer.Option(help="TLS: the listener's authorities (PEM).", exists=True)] = None,
        cert: Annotated[Path | None, typer.Option(help="TLS: a certificate to show (PEM).", exists=True)] = None,
        key: Annotated[Path | None, typer.Option(help="TLS: its key (PEM).", exists=True)] = None,
        tries: Annotated[int, typer.Option(help="Send again after silence, and after 206 and 207.", min=1)] = 1,
    ) -> None:
        """Send each file over MLLP by one connection, with TLS where --ca is given, and print its acknowledgment.
        Exit code 1 unless all are accepted."""
        if (cert is None) != (key is None) or (cert and ca is None):
            raise typer.BadParameter("--cert, --key and --ca go together")
        own = tls.Files(cert, key) if cert and key else None
        context = tls.client(ca, own) if ca else None
        sender = Sender(host or settings()["HUB_MLLP_HOST"], port or settings()["HUB_MLLP_PORT"], context)
        accepted = [_sent(sender, path, tries) for path in files]
        sender.close()
        raise typer.Exit(0 if all(accepted) else 1)

    return app


def _sent(sender: Sender, path: Path, tries: int) -> bool:
    """Whether the message of this file was accepted."""
    try:
        answer, accepted = sender.deliver(as_sent(path.read_bytes()), tries), True
    except Held as held:
        answer, accepted = held.answer, False
    except (NoAcknowledgment, NoHeader, OSError) as error:
        typer.echo(f"{path}: not acknowledged ({type(error).__name__})", err=True)
        return False
    typer.echo(answer.decode("utf-8", "replace").replace("\r", "\n").rstrip())
    return accepted


def as_sent(content: bytes) -> bytes:
    """A file's content with the segment ends that HL7 wants: editors make them LF or CR LF."""
    return content.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
