"""What runs inside the sandbox images."""
