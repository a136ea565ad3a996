"""Faces that a neural network moves by the sound of the voice."""
