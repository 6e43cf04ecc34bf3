"""The two-stage detector on its own: Faster R-CNN and Mask R-CNN."""
