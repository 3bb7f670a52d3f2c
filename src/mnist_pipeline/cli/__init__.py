"""The table of commands: parse, call a room, print. No work of its own. Stands on all others except networks."""

from mnist_pipeline.cli.program import main, run

__all__ = ["main", "run"]
