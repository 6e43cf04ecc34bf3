"""What knows the layout of annotation files: a module per layout, and the checks of what stands in it."""
