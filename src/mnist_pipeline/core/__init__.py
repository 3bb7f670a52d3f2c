"""What all other rooms stand on, itself on none: params.yaml, paths, files, tables, threads, the error for users."""
