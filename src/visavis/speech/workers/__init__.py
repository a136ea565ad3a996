"""Programs that run as worker processes (worker.py starts them): one module each, plus their half of the protocol."""
