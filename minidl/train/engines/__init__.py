"""The engines that make the steps of a training: eager, compiled, CUDA graph; and the checks for NaN and infinity."""
