"""Segmentation-grounded scene graphs: objects, their masks, and the relations between them."""
