"""AWS clients behind the core's ports."""

from capacity_pilot.adapters.aws.dynamodb import DynamoDbGateway, open_gateway
from capacity_pilot.adapters.aws.request import SENDABLE_PARAMETERS
from capacity_pilot.adapters.aws.shadow import ShadowGateway

OPERATIONS = frozenset(SENDABLE_PARAMETERS)
"""Every AWS operation the process calls; its IAM role needs these and no other."""

__all__ = ["OPERATIONS", "DynamoDbGateway", "ShadowGateway", "open_gateway"]
