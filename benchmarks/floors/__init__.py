"""The floors: the least that each kind of work costs on this machine, done in the most direct way."""
