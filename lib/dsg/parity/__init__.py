"""Does the port compute what the release computes? Golden files of the reference format, run through the
library and compared.

`golden` opens a file and tells its kind, `checks` compares arrays and keeps account of what was compared,
`runs` holds one module a kind of file, `report` prints, `command` is what `dsg parity` does.
"""
