"""Calls to the system that fail with EIO for a running process, on the files that are named: a library of a few
lines of C, put before the C library's by LD_PRELOAD."""

import shutil
import subprocess
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* $FAILING is a file of one line, "<calls> <part of a path>"; no such file: nothing fails */
static int fails(int descriptor, char call) {
    char line[512] = "", link[64], path[512] = "", calls[16], part[256];
    const char *control = getenv("FAILING");
    int kept = errno, wrong = 0, file = control ? open(control, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0 && read(file, line, sizeof line - 1) > 0 && sscanf(line, "%15s %255s", calls, part) == 2) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
        wrong = strchr(calls, call) && readlink(link, path, sizeof path - 1) > 0 && strstr(path, part);
    }
    if (file >= 0) close(file);
    errno = wrong ? EIO : kept;
    return wrong;
}

#define NEXT(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))
int fsync(int d) { return fails(d, 's') ? -1 : NEXT(fsync)(d); }
int fdatasync(int d) { return fails(d, 's') ? -1 : NEXT(fdatasync)(d); }
ssize_t write(int d, const void *b, size_t n) { return fails(d, 'w') ? -1 : NEXT(write)(d, b, n); }
ssize_t pwrite(int d, const void *b, size_t n, off_t o) { return fails(d, 'w') ? -1 : NEXT(pwrite)(d, b, n, o); }
ssize_t pwrite64(int d, const void *b, size_t n, off64_t o) {
    return fails(d, 'w') ? -1 : NEXT(pwrite64)(d, b, n, o);
}
"""
SYNC, WRITE = "s", "w"


def missing() -> str:
    """Why it cannot be made here; empty where it can."""
    return "" if shutil.which("gcc") else "gcc is not installed"


class Disk:
    """What fails for the processes that are started with `settings`."""

    def __init__(self, folder: Path):
        source, self._library, self._control = (folder / name for name in ("fails.c", "fails.so", "failing"))
        source.write_text(SOURCE)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", self._library, source, "-ldl"], check=True)

    @property
    def settings(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "FAILING": str(self._control)}

    def fails(self, calls: str, part: str) -> None:
        """From now on these calls on files with this in their path."""
        draft = self._control.with_suffix(".new")
        draft.write_text(f"{calls} {part}\n")
        draft.rename(self._control)

    def mended(self) -> None:
        self._control.unlink()
