"""What Numba compiles, and nothing else: all of it goes into the key that machine code is cached by."""
