"""Speed as ratios: both sides of each are measured in one run, in turns, on the same threads. Run: make bench."""
