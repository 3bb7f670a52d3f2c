"""The table of commands: parse, call a room, print. No work of its own.

Stands on all others.
"""
