"""visavis: self-hosted, real-time digital humans."""

__version__ = "0.1.0"
