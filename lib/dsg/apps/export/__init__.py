"""A model to take away: a file of weights, a TensorFlow SavedModel, an ONNX file."""
