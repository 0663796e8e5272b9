"""`python -m ciro_zk`: the command line."""

from ciro_zk.cli.main import run

if __name__ == "__main__":
    run()
