"""The plan's own API: referrals go to it, its decisions come back, status is written to it (docs/plan-api.md)."""
