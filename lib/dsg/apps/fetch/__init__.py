"""Data sets and weights: from where they were published to where the loaders look for them."""
