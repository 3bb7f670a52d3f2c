"""Proof that portable arithmetic gives the same bits on other processors: `make test-portable`.

What is compared runs in processes of its own, directly under an emulator or on this processor: `subject` prints digests
of operators and of the first steps of all recipes, and the stages make every file of a small pipeline.
"""
