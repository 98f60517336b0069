"""Many `hub` commands in short time: one process that has imported everything forks for each.

A command of the hub spends a second on imports and a tenth on what it does. Here each is a process of its own all
the same, with its own arguments, environment, folder, input and output; only the imports are shared. `commands()`
gives the text of a bash function `hub` that stands for the command.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# what a caller runs: hands its arguments, environment, folder and open files over, and ends as the command ended
CALL = """
import json, os, socket, sys, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
said = json.dumps([sys.argv[2:], dict(os.environ), os.getcwd()]).encode()
with socket.socket(socket.AF_UNIX) as at:
    at.connect(sys.argv[1])
    socket.send_fds(at, [len(said).to_bytes(4, "big")], [0, 1, 2])
    at.sendall(said)
    sys.exit(int(at.makefile().read() or 70))
"""


@contextmanager
def commands(folder: Path) -> Iterator[str]:
    """Bash text that defines the function `hub`, good until the end of the block."""
    address, caller = folder / "commands.socket", folder / "call.py"
    caller.write_text(CALL)
    server = subprocess.Popen([sys.executable, "-m", "tests.flows.quick_commands", str(address)], cwd=ROOT)
    try:
        yield f'hub() {{ "{sys.executable}" -I -S "{caller}" "{address}" "$@"; }}\n'
    finally:
        server.terminate()
        server.wait(10)


def serve(address: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{address}.begun")
        door.listen(16)
        _import_all()
        os.rename(f"{address}.begun", address)  # callers have waited for it
        while True:
            caller, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _run(caller)
            caller.close()


def _import_all() -> None:
    from typer.main import get_command

    import hub.store.migrate
    import wsgi
    from hub.front.commands import command_line

    get_command(command_line())
    assert wsgi.main
    assert hub.store.migrate


def _run(caller: socket.socket) -> None:
    """In the forked process: become the command, tell the caller how it ended, and end."""
    head, files, _, _ = socket.recv_fds(caller, 4, 3)
    with caller.makefile("rb") as said:
        words, environment, folder = json.loads(said.read(int.from_bytes(head, "big")))
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    caller.sendall(str(_ended(words)).encode())
    caller.close()
    os._exit(0)


def _ended(words: list[str]) -> int:
    """The exit code of the command, as an interpreter would have it."""
    import wsgi

    sys.argv = ["hub", *words]
    code: object = 0
    try:
        wsgi.main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    serve(sys.argv[1])
