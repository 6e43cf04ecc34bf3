"""`python -m dsg`: the program `dsg`."""

from dsg.apps.main import console

if __name__ == "__main__":
    console()
