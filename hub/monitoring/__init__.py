"""What the person on call looks at: whether the hub lives, what waits, what is wrong. Nobody's name, no content."""
