"""A synthetic county, the same every time; `county.bundles()` yields it as Bundles. No I/O, no clock."""
