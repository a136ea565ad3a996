"""What clients speak: each protocol a folder, each translating to and from the same session calls and events."""
