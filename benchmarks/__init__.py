"""Speed and memory: what `make bench` measures, and the plain formulation that the library is measured
against.
"""
