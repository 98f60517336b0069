"""The front door: `app` is the WSGI application (`gunicorn wsgi:app` serves it, too), `main` the command `hub`.

What it opens to is put together in hub/front/.
"""

import os
import sys
from typing import Any

from hub.front.parts import begin_log
from hub.problems import CannotStart
from hub.settings import SettingsError


def __getattr__(name: str) -> Any:
    """`wsgi.app`, made when a WSGI server asks for it and not when the command line starts."""
    if name == "app":
        from hub.front.web import make_app

        return make_app(moves=True)
    raise AttributeError(name)


def main() -> None:
    """The command `hub`."""
    os.umask(0o077)  # the database, the keys and the demo's messages are for the hub's user alone
    try:
        begin_log("first")
        from hub.front.commands import command_line

        command_line(sys.argv[1] if len(sys.argv) > 1 else "")()
    except (SettingsError, CannotStart) as error:
        sys.exit(str(error))
