"""The parts of `release/build`, `release/test` and `release/smoke`.

Only the standard library of Python 3.9 or newer is used here: the release
machinery must run on a machine where nothing has been installed yet.
"""
