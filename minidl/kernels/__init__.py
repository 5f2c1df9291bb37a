"""Kernels: fast replacements of compositions. Delete this folder, and all still works, more slowly (law 1)."""
