"""What all other rooms stand on: params.yaml, paths, files, tables, background calls, and the exception for users.

Stands on no other room.
"""
