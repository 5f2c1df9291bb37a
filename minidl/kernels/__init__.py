"""Kernels: fast stand-ins for compositions. Delete it, and all still works, more slowly (law 1)."""
