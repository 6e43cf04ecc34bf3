"""Annotations of other programs' formats, read into one type and written from it; `table` lists them."""
