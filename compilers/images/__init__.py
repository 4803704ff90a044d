"""The programs that run inside the sandbox images."""
