"""Side by side with other frameworks: ``python -m benchmarks``."""
