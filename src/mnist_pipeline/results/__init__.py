"""From what a model says to its tables and pictures, the leaderboard, and the choice of the best.

Stands on core, data and training.
"""
