"""A picture that the detector is asked about, and what TensorFlow.js made of it (`reference.npz`)."""
