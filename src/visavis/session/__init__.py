"""One visitor's call: its life, its states and endings, and the slot it holds."""
