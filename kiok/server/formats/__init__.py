"""How values are written where Django writes them; by language, as Django looks them up."""
