"""Every flow of the hub, with its Nth call to database or network failing: for all N, or every so many.

    python -m tests.faults.sweep --database sqlite|postgresql [--every 1] [--flows message,bundle,file,token,export]

A flow is done once without a fault: its calls are counted, and what it leaves is what it must always leave. Then it
is done anew, about somebody else, once for each call: that call fails, its client asks again with the same key, the
worker goes on when leases and waits are over. Then the flow has left the same, once, and the invariants hold.
Exit code 1 where one does not.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from tests.faults import here
from tests.faults.cutting import Calls, How, Proxy, failing_sqlite
from tests.faults.flows import FLOWS, SYSTEM, Flow
from tests.faults.here import Here
from tests.faults.invariants import broken
from tests.flows.kill_campaign import ground
from tests.flows.partners import Receiver, receiving

TRIES = 3


@dataclass
class Swept:
    """What a sweep of one flow found."""

    flow: str
    calls: int = 0
    failed: int = 0
    unanswered: int = 0  # the client learned nothing, and asked again
    wrong: tuple[str, ...] = ()


def swept(hub: Here, flow: Flow, calls: Calls, every: int, hows: Sequence[How]) -> Swept:
    """All calls of one flow, each in its own turn."""
    found = Swept(flow.name)
    wanted, found.calls = _turn(hub, flow, calls, 0, "before")[1:]
    wrong: list[str] = []
    number = 0
    for how in hows:
        # a hub that lost its connections makes new ones: some more calls than without a fault
        for failing in range(1, found.calls + 1, every):
            number += 1
            answered, left, _ = _turn(hub, flow, calls, number, how, failing)
            found.failed += 1
            found.unanswered += not answered
            if left != wanted:
                wrong.append(f"{flow.name}, call {failing} fails {how}: left {left}, not {wanted}")
            wrong += [f"{flow.name}, call {failing} fails {how}: {each}" for each in _broken(hub, number)]
    found.wrong = tuple(wrong)
    return found


def _turn(
    hub: Here, flow: Flow, calls: Calls, number: int, how: How, failing: int = 0
) -> tuple[bool, dict[str, object], int]:
    """Whether the client was answered at once, what is left, and how many calls there were."""
    flow.begin(number)
    calls.arm(failing, how)
    answered = flow.ask(number)
    hub.works()
    count = calls.disarm()
    done = answered
    for _ in range(TRIES):
        hub.lets_time_pass()
        hub.works()
        done = done or flow.ask(number)
    hub.works()
    assert done, f"{flow.name}: it is refused also when nothing fails"
    return answered, flow.left(number), count


def _broken(hub: Here, number: int) -> list[str]:
    """The files' own soundness is looked at seldom: it takes the longest."""
    from hub.front.parts import _effects

    return broken(
        hub.beside,
        hub.base,
        journals=hub.journals,
        bundles={SYSTEM: 2},
        effects=_effects,
        files=number % 20 == 0,
    )


def run(url: str, folder: Path, every: int, flows: Sequence[str], loud: bool) -> list[Swept]:
    """On an empty database."""
    calls = Calls()
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        outside = Proxy(int(receiver.host.rpartition(":")[2]), calls)
        stack.callback(outside.close)
        hub = here.made(folder, _through(url, calls, stack), url, f"127.0.0.1:{outside.port}", loud)
        stack.callback(hub.close)
        hows: tuple[How, ...] = ("before",) if url.startswith("sqlite") else ("before", "after")
        notices = Receiver(f"http://127.0.0.1:{outside.port}/notices", "", got=receiver.got)
        found = [swept(hub, FLOWS[name](hub, notices), calls, every, hows) for name in flows]
        found[-1].wrong += tuple(_broken(hub, 0))
    return found


def _through(url: str, calls: Calls, stack: ExitStack) -> str:
    """The same database, with calls that are counted."""
    if url.startswith("sqlite"):
        failing_sqlite(calls)
        return url
    place = make_url(url)
    proxy = Proxy(place.port or 5432, calls)
    stack.callback(proxy.close)
    return place.set(port=proxy.port).render_as_string(hide_password=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--url", help="an empty database, in place of one made for this")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--flows", default=",".join(FLOWS))
    parser.add_argument("--loud", action="store_true", help="with the hub's log")
    asked = parser.parse_args()
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-sweep-")))
        url = asked.url or stack.enter_context(ground(asked.database, folder))[0]
        found = run(url, folder, asked.every, asked.flows.split(","), asked.loud)
    for each in found:
        print(f"{each.flow}: {each.calls} calls, {each.failed} failed, {each.unanswered} not answered at once")
    for line in (line for each in found for line in each.wrong):
        print(line)
    print(f"{sum(each.failed for each in found)} faults in {time.monotonic() - began:.0f} s")
    return int(any(each.wrong for each in found))


if __name__ == "__main__":
    sys.exit(main())
