"""Raw messages, stored before they are believed, and what became of each."""
