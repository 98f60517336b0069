"""HMIS: the yearly HUD CSV export, releases of information, attestations; housing changes out."""
