"""The machine as one run sees it: devices, memory, processor, signals."""
