"""The face: avatar packages, the catalogue, animation, and renderers."""
