"""The answers that a sender is owed for a file (TA1, 999) are made and put where it fetches them.

Rules: docs/feeds.md "Answers". At least once, under the same name: a second time replaces the first.
Refuses: nothing. A feed without a place for answers gets none; a server that does not answer is tried again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.files.transports import answer, has_out
from hub import outbox
from hub.feeds import files, once
from hub.feeds.loading import Loading


@dataclass(frozen=True, slots=True)
class Answering:
    """The worker's handler of hub.feeds.loading.ANSWERS."""

    loading: Loading
    put: Callable[..., None] = answer

    def __call__(self, work: outbox.Work) -> outbox.Outcome:
        with self.loading.database.read() as connection:
            file = files.find(connection, int(work.payload["file"]))
            feed = self.loading.feeds.get(file.feed) if file else None
            told = once.with_before(connection, feed, file.seq) if file and feed else None
        if file is None or feed is None or told is None or not has_out(feed):
            return outbox.Done()
        answers = self.loading.kinds[feed.kind].answers
        content = self.loading.arriving.content(file.digest)
        with TemporaryDirectory() as folder:
            for name, body in answers(content, told) if answers else ():
                made = Path(folder) / "answer"
                made.write_bytes(body)
                self.put(made, feed, name.replace(content.name, file.name))
        return outbox.Done()
