"""What of this machine and this folder would keep the pipeline from running, and what to do about it.

finding      what a check says
environment  Python, packages, programs, device, processor
repository   Git, DVC, params.yaml, data, disk
reach        sources and MLflow's store: what may keep one waiting
examination  all checks, in bounded time

Modules outside the standard library are imported where a check needs them: that they are missing is a finding too.
"""
