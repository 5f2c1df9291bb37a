"""What makes the steps of a training: eager, compiled or a CUDA graph, with or without a look at the numbers."""
