"""What Numba compiles, and nothing else: what stands in this folder is what machine code is known by."""
