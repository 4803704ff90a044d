"""Real git servers on loopback for tests: OpenSSH, https with a password, and plain repositories."""
