"""`ciro-zk demo`: proves and verifies LeNet-5 on a real digit, and shows tamperings rejected."""
