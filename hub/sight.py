"""What of the stored resources a caller may see, as numbers that one SQL predicate compares (hub.store.sight).

Rules: docs/access.md. A resource is there for a caller when it belongs to nobody (a directory entry), or when a
relation covers all its patients now; and when each of its labels is free for the caller, or its own data, or
released to it by a consent. Whatever is not known is not there.
Built from roles and tokens by `auth.sights`; the numbers of references are hub.search.edges.address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

# what `resource.patient` holds where it is not the address of one Patient
NOBODY, SEVERAL, UNKNOWN = 0, 1, 2

# what `resource.source` holds where somebody brought guarded content into what another one wrote: nobody's own
SHARED = 1

# kinds of relation, one bit each (hub.rights.relations)
PANEL = 1  # member of a Group that the holder manages
TEAM = 2  # participant of a CareTeam
REFERRAL = 4  # owner of an active Task; performer of an active ServiceRequest that no client wrote
COVERAGE = 8  # payor of a Coverage
EPISODE = 16  # managing organization of an EpisodeOfCare
REGISTERED = 32  # the organization that registered the Patient
PROXY = 64  # a RelatedPerson: for a member's app, and for the signature on a consent
GRANTED = 128  # broken glass: for an hour, by name
OWNED = 256  # what is one client's or organization's, such as its Subscriptions: counts for everybody
# performer of an active ServiceRequest, whom not the writer itself is: opens nothing, counts for no role. The hub
# asks such a one to deliver (hub.referrals.coordination)
NAMED = 512

# purposes of use, one bit each. http://terminology.hl7.org/CodeSystem/v3-ActReason
PURPOSES: Mapping[str, int] = {"TREAT": 1, "HPAYMT": 2, "HOPERAT": 4, "ETREAT": 8, "PATRQT": 16}


@dataclass(frozen=True, slots=True)
class Sight:
    """`everything`: no predicate at all, for the hub's own jobs. `all_patients`: no relation is asked for.
    `holders`: the addresses whose relations of these `kinds` count. `patient`: the address of the only patient that
    a launch or a member's app is about (0: none), asked beside the relation, or, with `self_only`, instead of it.
    `writes_any`: it may write about any patient (a hospital's feed: it reads nothing).
    `own`: the address of the source whose data it wrote itself (0: none). `recipients`: the addresses by which a
    consent names it; `purposes`: a mask. `guarded`: the labels that only a consent opens, `never`: those that
    nothing opens but being the source. `elements`: by type, the only elements that leave (and may be searched by).
    `narrowed`: by type, the index keys of which a resource must have one (granular scopes)."""

    everything: bool = False
    all_patients: bool = False
    self_only: bool = False
    writes_any: bool = False
    holders: tuple[int, ...] = ()
    kinds: int = 0
    patient: int = 0
    own: int = 0
    recipients: tuple[int, ...] = ()
    purposes: int = 0
    guarded: int = -1
    never: int = 0
    elements: Mapping[str, frozenset[str]] = field(default_factory=dict)
    narrowed: Mapping[str, frozenset[int]] = field(default_factory=dict)


ALL = Sight(everything=True, guarded=0)
NOTHING = Sight()
