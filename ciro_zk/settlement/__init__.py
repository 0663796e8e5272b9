"""Jobs, stake, slashing and treasury: what happens to money after a verdict.

One table of constants (`parameters`), one executable specification on SQLite (`ledger`), and the contracts that are compared with it.
"""
