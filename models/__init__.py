"""The models of this repository and the scripts that make them: not installed, imported from a checkout only."""
