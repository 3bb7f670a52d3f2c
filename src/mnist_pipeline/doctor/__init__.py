"""What of this machine and this folder would keep the pipeline from running, and what to do about it.

Stands on core, arithmetic, data, pipeline, commits and registry. What lies outside the standard library is imported
where a check needs it: that it is missing is a finding too.
"""
