"""What can go wrong with a call."""


class CallError(Exception):
    """A call could not be made, or broke."""


class CallRefused(CallError):
    """The server does not take the call; ``kind`` is the event's name, such as ``conversation.connected.fail``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class CallUnreachable(CallError):
    """There is no such server, or it does not answer."""


class CallClosed(CallError):
    """The call is over; ``kind`` and the message say why."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
