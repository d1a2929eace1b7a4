"""The documented import paths of the factories and sessions, and nothing else."""
