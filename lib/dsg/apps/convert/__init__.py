"""Annotations of other formats, written in the layout that the loaders read."""
