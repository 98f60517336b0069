"""What can go wrong with a partner's server, in words that name no file and nobody.

Known without SSH, which takes a second to be loaded.
"""

HOST_KEY, LOGIN, UNREACHABLE, CUT = "host-key", "login", "unreachable", "cut"
DENIED, NO_SPACE, MISSING, TAKEN, REFUSED = "denied", "no-space", "missing", "taken", "refused"
FOR_NOW = (UNREACHABLE, CUT)  # worth trying again at once
WORDS = {
    HOST_KEY: "the server's key is not the pinned one",
    LOGIN: "the server does not let us in",
    UNREACHABLE: "the server cannot be reached",
    CUT: "the connection was cut, or the server does not answer",
    DENIED: "the server denies it",
    NO_SPACE: "the server has no space left",
    MISSING: "the server has no such folder or file",
    TAKEN: "there is another file of this name",
    REFUSED: "the server refuses it",
}


class Fault(Exception):
    """Why it did not work: a word of WORDS."""

    def __init__(self, code: str):
        super().__init__(WORDS[code])
        self.code = code
