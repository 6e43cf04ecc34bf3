"""The detector beside torchvision's, which lives in an environment of its own: `make bench-peers`."""
