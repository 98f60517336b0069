"""Closed-loop referrals: moves and clocks as tables, the hub between both ends, who must be told."""
