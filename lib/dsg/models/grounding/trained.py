"""Grounded models at work: `load_grounding` reads a snapshot, `TrainedGrounding.graphs` describes images.

No data set and no ground truth are needed: the file carries the network, its options and its vocabulary.
"""
