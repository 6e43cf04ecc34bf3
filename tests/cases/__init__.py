"""Inputs of the kinds that people really had, and what is right for each; one file a kind."""
