"""Hostile files by the thousand: what `make fuzz` makes of valid ones, reads, and reports.

A reader may take a file or refuse it in one line (`UserError`). Anything else is a fault: a traceback, a
crash, a hang, memory without end, a program that is started, a file that is written elsewhere, values that
nothing after the reader can bear. What was found once lies in `tests/cases/fuzz`, and every test run reads it
again.
"""
