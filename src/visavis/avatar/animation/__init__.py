"""Animation: from what a conversation does to FaceFrames, without a pixel. Deterministic under a seed."""
