"""Demand files: recorded or generated counts, checked, and prepared for a replay.

A demand file is a ``.csv``, ``.csv.gz`` or ``.parquet`` with the columns ``t_s`` (whole seconds,
the bin's start) and ``count`` (what arrived in the bin). Any further column is an upstream signal,
counted per bin like ``count``. The bin width is the smallest step of ``t_s`` and divides all of
them. A row with count 0 was seen and empty; a bin without a row was not recorded.
"""

from capacity_pilot.simulator.demand_file.columns import Limits
from capacity_pilot.simulator.demand_file.parquet import load_pyarrow
from capacity_pilot.simulator.demand_file.preparation import MAX_DAYS, prepare_workload
from capacity_pilot.simulator.demand_file.reading import DemandFile, name_of, read_demand, suffix_of

__all__ = [
    "MAX_DAYS",
    "DemandFile",
    "Limits",
    "load_pyarrow",
    "name_of",
    "prepare_workload",
    "read_demand",
    "suffix_of",
]
