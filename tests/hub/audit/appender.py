"""A process that appends to a journal from many threads and says what it was told is durable, until killed."""

import os
import sys
import threading
from pathlib import Path

from hub.audit.journal import Journal


def main(folder: str) -> None:
    journal = Journal(Path(folder), most_bytes=2_000)

    def work(thread: int) -> None:
        for number in range(1_000_000):
            word = f"{thread}-{number}".encode()
            journal.append(word)
            os.write(1, word + b"\n")

    threads = [threading.Thread(target=work, args=(thread,), daemon=True) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1])
