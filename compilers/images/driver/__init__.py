"""The driver: PID 1 of a sandbox container. Standard library only."""
