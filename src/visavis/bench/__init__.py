"""``visavis bench``: measures a running server with real WebRTC peers. Figures, not verdicts."""
