"""What the avatar thinks with: the ChatModel port (ports.py) and its providers."""
