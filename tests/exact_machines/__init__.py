"""Proof that exact arithmetic gives the same bits everywhere, on ARM and with another torch too: `make test-exact`.

Beside tests.portable, whose ways to start Python and whose rows it uses.
"""
