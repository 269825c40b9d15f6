"""Devices, precision, CUDA graphs and the memory allocator."""
