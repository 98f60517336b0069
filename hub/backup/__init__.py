"""A hub as a folder: made while it runs, put back into an empty place (docs/backup.md)."""
