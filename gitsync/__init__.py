"""Git Sync: see ARCHITECTURE.md."""
