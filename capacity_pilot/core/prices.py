"""What capacity costs, in US dollars: by the price list, or as the operator has agreed on.

On-demand prices are us-east-1's, in force since November 2024 (on-demand was halved then).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Self

from pydantic import model_validator

from capacity_pilot.core.model import Dimension
from capacity_pilot.core.price_list import INFREQUENT_ACCESS, STANDARD
from capacity_pilot.core.quantities import Strict, Usd

_HOME: Final = "us-east-1"
USD_PER_UNIT_HOUR: Final = dict(zip(Dimension, STANDARD[_HOME], strict=True))
USD_PER_MILLION_REQUEST_UNITS: Final = {Dimension.WRITE: 0.625, Dimension.READ: 0.125}


class TableClass(StrEnum):
    """As DynamoDB names them."""

    STANDARD = "standard"
    INFREQUENT_ACCESS = "standard_infrequent_access"


class Prices(Strict):
    """What a unit of capacity is reckoned to cost an hour."""

    region: str = _HOME
    """The AWS Region by whose public prices."""

    table_class: TableClass = TableClass.STANDARD
    """The class of the tables."""

    read: Usd | None = None
    """US dollars for a read unit and hour, in place of the public price."""

    write: Usd | None = None
    """US dollars for a write unit and hour, in place of the public price."""

    @model_validator(mode="after")
    def _are_known(self) -> Self:
        known = _LISTS[self.table_class]
        if (self.read is None or self.write is None) and self.region not in known:
            raise ValueError(
                f"no prices of the {self.table_class} class are known for {self.region!r}: name "
                f"read and write, or one of {', '.join(known)}"
            )
        return self

    def usd(self, dimension: Dimension) -> float:
        """For a unit and hour."""
        own = self.read if dimension is Dimension.READ else self.write
        return _LISTS[self.table_class][self.region][dimension] if own is None else own


_LISTS: Final = {
    TableClass.STANDARD: STANDARD,
    TableClass.INFREQUENT_ACCESS: INFREQUENT_ACCESS,
}
PUBLIC_PRICES: Final = Prices()
