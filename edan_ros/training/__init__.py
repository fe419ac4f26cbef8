"""From data sets to an ONNX file with its manifest."""
