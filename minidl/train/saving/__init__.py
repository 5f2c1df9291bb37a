"""What a training leaves on disk: models, checkpoints, and all that a run goes on from."""
