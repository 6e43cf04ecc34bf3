"""Labelled scene graphs read off the model: how right they are, and as files."""
