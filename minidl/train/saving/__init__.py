"""What training writes to disk: models, and checkpoints from which a run resumes."""
