"""The roles a client can have: who is who in a county. What a client may do, its scopes say."""

from collections.abc import Mapping

ROLES: Mapping[str, str] = {
    "hospital-feeder": "A hospital or its interface engine: sends ADT, reads nothing of others",
    "ehr": "An EHR or care-management system, for the members on its roster",
    "county-behavioral-health": "A county behavioral health department, for its own clients",
    "ecm-provider": "An Enhanced Care Management provider, for its assigned panel",
    "ilos-provider": "A Community Supports (ILOS) provider, for members referred to it",
    "plan": "The managed care plan: rosters, referrals and counts of its members",
    "auditor": "Privacy officer or auditor: metadata and audit trail, no content",
    "operator": "Runs the hub: health, queues and replays, no clinical content",
}
