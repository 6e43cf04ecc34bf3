"""What the project's commands are worth when they are killed: `make crash-test` ends them at random and at
chosen moments, runs the same commands again, and compares what they leave with what undisturbed ones leave.
"""
