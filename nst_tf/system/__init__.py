"""The machine that a run computes on: devices, memory, processor, signals, start of TensorFlow."""
