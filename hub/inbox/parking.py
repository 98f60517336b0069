"""How a handler says that its message waits for a person, or for what it names.

Raised by handlers of hub.worker; the states are hub.inbox.messages.STATES.
"""

from hub.inbox.messages import Awaited


class Park(Exception):
    """Raised by a handler: the message waits in `state` for a person, because of `reason` at `where`; with `awaits`
    until what it names is there (hub.inbox.waits). `code` is what its sender calls such a fault, if it has a
    name."""

    def __init__(self, state: str, reason: str, where: str = "", awaits: Awaited | None = None, code: str = ""):
        super().__init__(state, reason, where)
        self.state, self.reason, self.where, self.awaits, self.code = state, reason, where, awaits, code
