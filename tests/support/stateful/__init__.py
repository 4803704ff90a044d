"""The world of the stateful test: remotes, configured repositories, what the store must hold of each."""
