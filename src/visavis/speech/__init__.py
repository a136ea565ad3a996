"""Hearing and speaking: ports (ports.py) and providers for activity detection, turns, recognition and synthesis."""
