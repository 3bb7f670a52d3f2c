"""What all other rooms stand on: params.yaml, paths, files, tables, and the one exception raised on purpose.

Stands on no other room.
"""
