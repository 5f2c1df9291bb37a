"""What is measured. Each file is a section: `collect` runs here, `work` in the contenders' processes."""
