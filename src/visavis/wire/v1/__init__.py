"""The server's own HTTP interface, version 1."""
