"""The database: records of sessions, and sessions that visitors can come back to."""
