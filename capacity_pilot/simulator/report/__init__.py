"""What a replay came to, for people: a page of charts and a table on the terminal.

``write_html`` needs plotly, ``summarize`` needs rich; both come with the ``simulation`` extra.
"""

from capacity_pilot.simulator.report.page import write_html
from capacity_pilot.simulator.report.terminal import summarize

__all__ = ["summarize", "write_html"]
