"""Application Auto Scaling's registrations on top of the world, as far as they move capacity.

A registration pulls capacity into its bounds some seconds after every call, and only then. Scaling
policies are kept and listed, and never scale. Codes are AWS's, texts are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from capacity_pilot.simulator.physics.database import Request, Response, require
from capacity_pilot.simulator.physics.refusals import RefusedError, invalid
from capacity_pilot.simulator.physics.tables import Units
from capacity_pilot.simulator.physics.world import World

PULL_S: Final = 4.0
"""From registering to Application Auto Scaling's own UpdateTable: 4.4 s were seen on AWS."""

_MOST_LISTED: Final = 50
_MOST_POLICIES_LISTED: Final = 10
_NOTHING_SUSPENDED: Final = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}
_DIMENSIONS: Final = {
    f"dynamodb:{kind}:{units}": (kind, dimension)
    for kind in ("table", "index")
    for units, dimension in (
        ("ReadCapacityUnits", Dimension.READ),
        ("WriteCapacityUnits", Dimension.WRITE),
    )
}
_NAMES: Final = {place: name for name, place in _DIMENSIONS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What is registered of a target; ``suspended`` by AWS's names of what can be."""

    minimum: int
    maximum: int
    suspended: Mapping[str, bool]
    created_at: float
    policies: tuple[str, ...] = ()


@dataclass
class ScalingRegistry:
    """What is registered. ``advance`` it after the world, whenever time has passed."""

    world: World
    _targets: dict[ScalableTarget, Registered] = field(default_factory=dict)
    _pulls: dict[ScalableTarget, float] = field(default_factory=dict)

    def advance(self, now: float) -> None:
        """Pulls into their bounds the targets that are due and whose table takes an update."""
        for target in [t for t, at in self._pulls.items() if at <= now]:
            try:
                self._pull(target, now)
            except RefusedError as refusal:
                if refusal.code == "ResourceInUseException":
                    continue  # tried again
            del self._pulls[target]

    def _pull(self, target: ScalableTarget, now: float) -> None:
        registered = self._targets.get(target)
        if registered is None:
            return
        resource = self.world.table(target.resource.table).resources[target.resource.index]
        units = [*resource.units]
        within = min(max(units[target.dimension], registered.minimum), registered.maximum)
        if within != units[target.dimension]:
            units[target.dimension] = within
            changes = {target.resource.index: Units(*units)}
            self.world.update_table(target.resource.table, changes, now)

    def find(self, target: ScalableTarget) -> Registered:
        """Raises ``KeyError`` of a target that is not registered."""
        return self._targets[target]

    def register(self, request: Request, now: float) -> Response:
        """Makes a target or changes what is given of one."""
        target = _read_target(request)
        self._check_exists(target)
        known = self._targets.get(target)
        minimum, maximum = request.get("MinCapacity"), request.get("MaxCapacity")
        if known is None:
            if minimum is None or maximum is None:
                raise invalid("A new scalable target needs both MinCapacity and MaxCapacity")
            known = Registered(
                minimum=minimum, maximum=maximum, suspended=_NOTHING_SUSPENDED, created_at=now
            )
        changed = replace(
            known,
            minimum=known.minimum if minimum is None else minimum,
            maximum=known.maximum if maximum is None else maximum,
            suspended={**known.suspended, **request.get("SuspendedState", {})},
        )
        if not 1 <= changed.minimum <= changed.maximum:
            raise invalid(
                f"MinCapacity {changed.minimum} must be at least 1 and at most MaxCapacity "
                f"{changed.maximum}"
            )
        self._targets[target] = changed
        self._pulls[target] = now + PULL_S
        return {"ScalableTargetARN": f"arn:aws:application-autoscaling:::{target}"}

    def deregister(self, request: Request, _now: float) -> Response:
        """Forgets a target and its policies; capacity stays as it is."""
        target = self._known(_read_target(request))
        del self._targets[target]
        return {}

    def put_policy(self, request: Request, _now: float) -> Response:
        """Keeps a policy's name."""
        target = self._known(_read_target(request))
        name = require(request, "PolicyName", str)
        registered = self._targets[target]
        policies = tuple(dict.fromkeys((*registered.policies, name)))
        self._targets[target] = replace(registered, policies=policies)
        return {"PolicyARN": f"arn:aws:autoscaling:::{target}:{name}", "Alarms": []}

    def list_targets(self, request: Request, _now: float) -> Response:
        """A page of the targets of the resources named, of all where none is."""
        named = request.get("ResourceIds", ())
        if len(named) > _MOST_LISTED:
            raise invalid(f"{len(named)} ResourceIds; at most {_MOST_LISTED} are taken")
        found = [
            {
                **name_target(target),
                "MinCapacity": registered.minimum,
                "MaxCapacity": registered.maximum,
                "SuspendedState": dict(registered.suspended),
                "RoleARN": "arn:aws:iam:::role/DynamoDBTable",
                "CreationTime": registered.created_at,
            }
            for target, registered in sorted(self._targets.items())
            if not named or f"table/{target.resource}" in named
        ]
        return _page(request, "ScalableTargets", found, most=_MOST_LISTED)

    def list_policies(self, request: Request, now: float) -> Response:
        """A page of the policies of one resource, of all where none is named."""
        named = request.get("ResourceId")
        found = [
            {
                **name_target(target),
                "PolicyName": name,
                "PolicyARN": f"arn:aws:autoscaling:::{target}:{name}",
                "PolicyType": "TargetTrackingScaling",
                "CreationTime": now,
            }
            for target, registered in sorted(self._targets.items())
            if named in (None, f"table/{target.resource}")
            for name in registered.policies
        ]
        return _page(request, "ScalingPolicies", found, most=_MOST_POLICIES_LISTED)

    def _known(self, target: ScalableTarget) -> ScalableTarget:
        if target not in self._targets:
            raise RefusedError("ObjectNotFoundException", f"No scalable target found: {target}")
        return target

    def _check_exists(self, target: ScalableTarget) -> None:
        try:
            is_there = target.resource.index in self.world.table(target.resource.table).resources
        except RefusedError:
            is_there = False
        if not is_there:
            raise invalid(f"There is no table or index {target.resource}")


SCALING_OPERATIONS: Final[Mapping[str, Callable[[ScalingRegistry, Request, float], Response]]] = {
    "DeregisterScalableTarget": ScalingRegistry.deregister,
    "DescribeScalableTargets": ScalingRegistry.list_targets,
    "DescribeScalingPolicies": ScalingRegistry.list_policies,
    "PutScalingPolicy": ScalingRegistry.put_policy,
    "RegisterScalableTarget": ScalingRegistry.register,
}


def _read_target(request: Request) -> ScalableTarget:
    named = require(request, "ResourceId", str)
    dimension = require(request, "ScalableDimension", str)
    match (named.split("/"), _DIMENSIONS.get(dimension)):
        case (["table", table], ("table", at)):
            return ScalableTarget(Resource(table), at)
        case (["table", table, "index", index], ("index", at)):
            return ScalableTarget(Resource(table, index), at)
    raise invalid(f"{dimension} is no dimension of {named}")


def name_target(target: ScalableTarget) -> dict[str, Any]:
    """As Application Auto Scaling's requests and answers name it."""
    kind = "index" if target.resource.index else "table"
    return {
        "ServiceNamespace": "dynamodb",
        "ResourceId": f"table/{target.resource}",
        "ScalableDimension": _NAMES[kind, target.dimension],
    }


def _page(request: Request, member: str, found: Iterable[Any], *, most: int) -> Response:
    listed = list(found)
    first = int(request.get("NextToken") or 0)
    page: Response = {member: listed[first : first + most]}
    if len(listed) > first + most:
        page["NextToken"] = str(first + most)
    return page
