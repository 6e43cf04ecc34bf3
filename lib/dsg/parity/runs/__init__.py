"""One module a kind of golden file; each has `run`, which puts the file's inputs through the library and
compares.
"""
