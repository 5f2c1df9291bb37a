"""What the machine does beneath NumPy: a second thread, BLAS's threads, denormal numbers."""
