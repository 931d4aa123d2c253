"""The clairvoyant: the least provisioned unit-hours that throttle nothing, knowing the future."""

from capacity_pilot.simulator.clairvoyant.search import Clairvoyant, find_clairvoyant
from capacity_pilot.simulator.clairvoyant.setting import DecreaseRules

__all__ = ["Clairvoyant", "DecreaseRules", "find_clairvoyant"]
