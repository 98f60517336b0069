"""What is derived from a resource when it is written: labels, consents, relations. Pure."""
