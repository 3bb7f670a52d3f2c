"""How numbers are computed: which bits are promised here, what pins them, versions, machine. Stands on core."""
