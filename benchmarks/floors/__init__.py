"""The least that each kind of work costs on this machine, done by the shortest way there is."""
