"""The one model of DynamoDB: capacity, burst, apply times, quotas and refusals.

``world`` is pure and driven by whoever holds the clock; ``server`` speaks DynamoDB's wire
protocol on top of it and needs the ``physics`` extra.
"""
