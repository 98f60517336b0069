"""The worker's threads: lanes that look for work, and who takes the place of one that is held.

A thread cannot be taken off what it does: a message that never ends, or a receiver that answers a byte a second,
would keep everybody else's work waiting. A lane that is with one piece for `patience` seconds is held, and another
one stands in for it, as long as there are fewer than `most`; who is one too many when the held one is back, ends.
Time is counted in looks of the watch: a process that was stopped for minutes does not take all its lanes for held
when it goes on.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from hub.bell import Bell
from hub.settling import named

log = logging.getLogger("hub.worker")
NICENESS = 10
BROKEN_SECONDS = 1.0
LOOK_SECONDS = 0.25  # between two looks of the watch
LOST_SECONDS = 60.0  # what takes so long does not end any more


@dataclass(eq=False)
class Hold:
    """What a lane is with: the pieces that it has not ended, in order."""

    left: list[Any]
    looks: int = 0

    def ended(self) -> None:
        """The first of them is done."""
        self.left, self.looks = self.left[1:], 0

    def is_over(self, seconds: float) -> bool:
        return self.looks * LOOK_SECONDS >= seconds


@dataclass
class Lane:
    """`turn` does what there is, and says whether that was something; else it looks again after `idle` seconds.
    Of `usual` threads each may be held: then there are up to `most`. `on_held` is told what holds one for
    `patience` seconds."""

    turn: Callable[[], bool]
    usual: int = 1
    most: int = 1
    idle: float = 0.2
    patience: float = 1.5
    on_held: Callable[[Sequence[Any]], object] = lambda left: None
    there: int = 0
    bell: Bell = field(default_factory=Bell)
    holds: set[Hold] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.turn.__name__

    @property
    def held(self) -> set[Hold]:
        return {hold for hold in self.holds if hold.is_over(self.patience)}

    @property
    def spare(self) -> int:
        """How many threads there are too many, or (below zero) are missing."""
        return self.there - len(self.held) - self.usual

    @property
    def is_lost(self) -> bool:
        """Whether as many as may be are with something that does not end."""
        return 1 < self.most <= sum(hold.is_over(LOST_SECONDS) for hold in self.holds)


class Lanes:
    """`following` are rung when one of them did something; `give_up` ends the process, to be started anew, where no
    thread is left to stand in."""

    def __init__(self, following: Sequence[str], give_up: Callable[[], None]):
        self.stopped = threading.Event()
        self._following = following
        self._give_up = give_up
        self._lock = threading.Lock()
        self._lanes: list[Lane] = []
        self._threads: list[threading.Thread] = []

    def start(self, lanes: Sequence[Lane]) -> None:
        self._lanes = list(lanes)
        for lane in lanes:
            self._fill(lane)
        self._begin(self._watch, "worker-watch")

    def ring(self, *names: str) -> None:
        """Those look now, all where none is named."""
        for lane in self._lanes:
            if not names or lane.name in names:
                lane.bell.ring()

    def stop(self, seconds: float) -> None:
        """What is not done by then is left."""
        self.stopped.set()
        for lane in self._lanes:
            lane.bell.end()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def named(self, name: str) -> Lane | None:
        """The lane of this name, where it was started."""
        return next((lane for lane in self._lanes if lane.name == name), None)

    @contextmanager
    def over(self, name: str, pieces: Sequence[Any]) -> Iterator[Hold]:
        """Around work of a lane: it is watched how long it takes."""
        hold, lane = Hold(list(pieces)), self.named(name)
        if lane is None:
            yield hold
            return
        with self._lock:
            lane.holds.add(hold)
        try:
            yield hold
        finally:
            with self._lock:
                lane.holds.discard(hold)

    def _begin(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
        thread.start()

    def _fill(self, lane: Lane) -> None:
        while self._joins(lane):
            self._begin(lambda: self._live(lane), f"worker-{lane.there}{lane.name}")

    def _joins(self, lane: Lane) -> bool:
        with self._lock:
            wanted = lane.spare < 0 and lane.there < max(lane.usual, lane.most)
            lane.there += wanted
            return wanted

    def _leaves(self, lane: Lane) -> bool:
        with self._lock:
            spare = lane.spare > 0
            lane.there -= spare
            return spare

    def _live(self, lane: Lane) -> None:
        _step_back()
        while not self.stopped.is_set() and not self._leaves(lane):
            try:
                if lane.turn():
                    self.ring(*self._following)  # what one lane did may be work for another
                else:
                    lane.bell.wait(lane.idle)
            except Exception as error:
                log.error("%s: %s; goes on", threading.current_thread().name, named(error))
                self.stopped.wait(BROKEN_SECONDS)

    def _watch(self) -> None:
        while not self.stopped.wait(LOOK_SECONDS):
            for lane in self._lanes:
                try:
                    self._look(lane)
                except Exception as error:
                    log.error("%s is held, and: %s", lane.name, named(error))

    def _look(self, lane: Lane) -> None:
        with self._lock:
            before = lane.held
            for hold in lane.holds:
                hold.looks += 1
            held = lane.held - before
        for hold in held:
            lane.on_held(hold.left)
        self._fill(lane)
        if lane.is_lost:
            log.critical("%s: nobody is left, all are held; the process ends, to be started anew", lane.name)
            self._give_up()


def _step_back() -> None:
    """Let who waits for an answer go first: Linux knows a niceness for each thread."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
