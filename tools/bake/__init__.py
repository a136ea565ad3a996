"""The studio behind the house's own avatars: people from CC0 data, rendered with Cycles (off-line only)."""
