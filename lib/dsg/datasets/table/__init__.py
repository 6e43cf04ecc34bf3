"""The annotations of a split in flat arrays: built from a format, kept in a cache, and made into records."""
