"""One clock, one peer connection: encoding, tracks, congestion, ICE."""
