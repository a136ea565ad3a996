"""The Python SDK: a call over the unified WebSocket, with the avatar's picture and sound as numpy frames."""
