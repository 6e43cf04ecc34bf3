"""What knows the layout of annotation files: a module a layout, and the checks of what stands in it."""
