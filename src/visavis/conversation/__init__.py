"""Turn taking: listening, thinking, speaking; the history of both sides; tools."""
