"""What keeps a measurement from being made."""


class BenchError(Exception):
    """A measurement could not be made; the message is for the user."""
