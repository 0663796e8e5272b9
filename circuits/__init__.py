"""The compiled circuits of our own models, as reviewed artefacts; `circuits/build.py` makes them."""
