"""State and clocks that the processes of one installation share."""
