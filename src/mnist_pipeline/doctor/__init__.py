"""What would keep the pipeline from running here. Stands on core, arithmetic, data, pipeline, commits and registry.
What lies outside the standard library is imported where a check needs it: that it is missing is a finding too."""
