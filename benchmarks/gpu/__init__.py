"""What is seen and measured on a GPU; ``bash benchmarks/on_gpu.sh OUT`` runs all of it."""
