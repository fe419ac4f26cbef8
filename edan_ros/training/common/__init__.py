"""Configuration, trainer, checkpoints and schedules shared by all trained networks."""
