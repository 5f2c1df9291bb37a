"""What Numba compiles, and nothing else: the text of all of it is part of the cache's key."""
