"""Two commits model by model, and one recipe under many seeds. Stands on core, arithmetic, pipeline and commits."""
