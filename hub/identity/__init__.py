"""Who is who across the sources. The deciding half is pure; docs/identity.md has the rules in plain words."""
