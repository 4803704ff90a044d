"""Health, readiness, metrics and the doctor: what operators read."""
