"""Does the port compute what the release computes? Golden files of the reference format, run through the library and compared."""
