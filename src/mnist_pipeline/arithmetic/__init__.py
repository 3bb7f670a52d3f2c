"""How numbers are computed: which bits can be promised here, what pins them, and the versions and machine behind them.

Stands on core.
"""
