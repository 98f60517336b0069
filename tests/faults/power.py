"""Power that fails: after it a file holds what its last sync promised, and nothing that was written since.

A library of a few lines of C (LD_PRELOAD) keeps, for each file of a folder, what stood in it when a sync of it
began that then succeeded; with a file that is open with O_DSYNC, after each write. What is written into memory that
is mapped, and names that nobody synced, are gone. A disk may have more of a file than that, never less.
"""

import shutil
import subprocess
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

/* what stands in the file now, as $KEPT/.draft; 0 where it is none of ours. One at a time: the lock stays held */
static int draft(int d, char *name) {
    char link[64], path[1024] = "", block[65536], *at;
    const char *kept = getenv("KEPT"), *folder = getenv("KEPT_OF");
    struct stat about;
    ssize_t n;
    int lock, from, to;
    snprintf(link, sizeof link, "/proc/self/fd/%d", d);
    if (!kept || !folder || readlink(link, path, sizeof path - 1) < 1) return 0;
    if (strncmp(path, folder, strlen(folder)) || strstr(path, " (deleted)") || fstat(d, &about)) return 0;
    if (!S_ISREG(about.st_mode)) return 0;
    sprintf(block, "%s/.lock", kept);
    lock = open(block, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    flock(lock, LOCK_EX);
    sprintf(block, "%s/.draft", kept);
    from = open(path, O_RDONLY | O_CLOEXEC);
    to = open(block, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    while ((n = read(from, block, sizeof block)) > 0) if (NEXT(write)(to, block, n) != n) abort();
    close(from);
    close(to);
    for (at = path; *at; at++) if (*at == '/') *at = '%';
    snprintf(name, 1024, "%s/%s", kept, path);
    return lock;
}

static void settle(int lock, const char *name, int good) {
    char old[1024];
    if (!lock) return;
    snprintf(old, sizeof old, "%s/.draft", getenv("KEPT"));
    if (good) rename(old, name);
    close(lock);
}

static int synced(int d, int (*sync)(int)) {
    char name[1024];
    int lock = draft(d, name), result = sync(d);
    settle(lock, name, result == 0);
    return result;
}

int fsync(int d) { return synced(d, NEXT(fsync)); }
int fdatasync(int d) { return synced(d, NEXT(fdatasync)); }

ssize_t pwrite64(int d, const void *b, size_t n, off64_t o) {
    char name[1024];
    ssize_t result = NEXT(pwrite64)(d, b, n, o);
    if (result > 0 && (fcntl(d, F_GETFL) & O_DSYNC)) settle(draft(d, name), name, 1);
    return result;
}
ssize_t pwrite(int d, const void *b, size_t n, off_t o) { return pwrite64(d, b, n, o); }
"""


class Power:
    """Of a folder whose files are all on the disk now."""

    def __init__(self, folder: Path, beside: Path):
        self._folder, self._kept = folder, beside / "kept"
        self._kept.mkdir()
        source, self._library = beside / "power.c", beside / "power.so"
        source.write_text(SOURCE)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", self._library, source, "-ldl"], check=True)
        for path in self._files():
            shutil.copy(path, self._place(path))

    @property
    def settings(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "KEPT": str(self._kept), "KEPT_OF": str(self._folder)}

    def fails(self) -> None:
        """Nobody may have the folder open any more: kill -9 first."""
        for path in self._files():
            place = self._place(path)
            path.unlink()
            if place.exists():
                shutil.copy(place, path)

    def _files(self) -> list[Path]:
        return [path for path in self._folder.rglob("*") if path.is_file()]

    def _place(self, path: Path) -> Path:
        return self._kept / str(path).replace("/", "%")
