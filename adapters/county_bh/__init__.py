"""County behavioral health: the files that counties send, and what goes back to them."""
