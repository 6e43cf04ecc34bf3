"""Detecting objects in anyone's pictures."""
