"""The studio behind the house's own avatars: builds people from CC0 data and renders them with Cycles (off-line only)."""
