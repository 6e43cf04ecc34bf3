"""Differentiable scene graphs and referring relationships on TensorFlow 2."""

__version__ = "0.1.0"
