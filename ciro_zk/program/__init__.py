"""What circulates between people: the program and the circuit compiled from a model, the keys, the statement, the public tensors."""
