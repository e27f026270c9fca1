"""Whether an account is ready for an incident: what each place has of what a response needs, judged from what was read.

A part is `ok`, `missing`, or not known: `denied` and `unknown` are not clean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from incident.family import Scope
from incident.network.values import document, flag, items, mapping, structures, text
from incident.posture import change_rules
from incident.posture.checks import CHANGES, FLOW_LOGS, GUARDDUTY, HUB, NAT_ALARMS, PARTS, PORTS, RECORDER, TRAIL, Check, State
from incident.posture.places import PORTS_RULE, NotKnown, Place, may_match
from incident.posture.preparation import Preparation
from incident.resources.preparing.watching import flow_log_of

FIFTEEN_MINUTES = "FIFTEEN_MINUTES"


# --- judging ------------------------------------------------------------------------------------------------------------------


def judged(place: Place, wanted: Preparation) -> list[Check]:
    """Every part of one place; the trail only where the account is at home, for one trail serves all regions."""
    parts = [part for part in PARTS if part != TRAIL or place.home]
    return [_judged(place, wanted, part) for part in parts]


def _judged(place: Place, wanted: Preparation, part: str) -> Check:
    try:
        state, detail, lacking, todo = _JUDGES[part](place, wanted)
    except NotKnown as unknown:
        state = State.DENIED if unknown.gap.denied else State.UNKNOWN
        todo = "let the role read it, and look again" if unknown.gap.denied else "look again"
        detail, lacking = unknown.gap.why, ()
    if todo == _PREPARE and (setting := unset(place, wanted, part)):
        todo = f"set {setting}; then {_PREPARE}"
    check = Check(place.account, place.region, part, state, detail, lacking, todo, part in wanted.leave)
    return replace(check, next="somebody else's, as prepare.leave says") if check.elsewhere and state is not State.OK else check


def unset(place: Place, wanted: Preparation, part: str) -> str:
    """The setting that a plan for a part needs and nobody has set; empty where none is missing.

    Raises:
        NotKnown: what decides it was not read.
    """
    flow_logs, subscribed = wanted.flow_logs, any(one.startswith("https://") for one in wanted.alerts.subscribe)
    if part == FLOW_LOGS and flow_logs.destination == "s3":
        return "" if flow_logs.bucket else "prepare.flow_logs.bucket"
    if part == FLOW_LOGS:
        return "" if flow_logs.role else "prepare.flow_logs.role"
    if part == TRAIL and not wanted.trail.bucket:
        own = any(one.get("Name") == wanted.trail.name for one in place.listed("trails"))
        return "" if own else "prepare.trail.bucket"
    if part == RECORDER and not wanted.config.bucket:
        return "" if place.listed("delivery channels") else "prepare.config.bucket"
    if part == CHANGES and not subscribed:
        return "" if wanted.changes.deliver_to else "prepare.changes.deliver_to"
    return ""


def not_enabled(account: str, regions: Iterable[str]) -> Check:
    """Regions that are not enabled cannot hold anything, and lack nothing."""
    named = tuple(regions)
    return Check(account, "", "other regions", State.NOT_ENABLED, f"{len(named)} regions are not enabled in this account", named)


_Judged = tuple[State, str, tuple[str, ...], str]
_PREPARE = "`countermand prepare` plans it"


def _ok(detail: str) -> _Judged:
    return State.OK, detail, (), ""


def _missing(detail: str, lacking: Iterable[str] = (), todo: str = _PREPARE) -> _Judged:
    return State.MISSING, detail, tuple(lacking), todo


def unlogged(place: Place, wanted: Preparation) -> list[str]:
    """The VPCs without a flow log of their own of the wanted traffic, though every subnet may have one.

    Raises:
        NotKnown: the VPCs or the flow logs were not read.
    """
    logged = _traffic_logged(place)
    return [vpc for one in place.listed("VPCs") if not _is_logged(logged, wanted, vpc := text(one.get("VpcId")))]


def _is_logged(logged: Mapping[str, set[str]], wanted: Preparation, *names: str) -> bool:
    traffic = wanted.flow_logs.traffic
    needed = {"ACCEPT", "REJECT"} if traffic == "ALL" else {traffic}
    return needed <= {kind for name in names for kind in logged.get(name, ())}


def _flow_logs(place: Place, wanted: Preparation) -> _Judged:
    logged, vpcs, bare_vpcs = _traffic_logged(place), place.listed("VPCs"), unlogged(place, wanted)
    subnets = {text(one.get("SubnetId")): text(one.get("VpcId")) for one in place.listed("subnets")}
    interfaces = {
        text(one.get("NetworkInterfaceId")): (text(one.get("SubnetId")), text(one.get("VpcId")))
        for one in place.listed("interfaces")
    }
    bare_subnets = [one for one, vpc in subnets.items() if not _is_logged(logged, wanted, one, vpc)]
    bare_interfaces = [one for one, above in interfaces.items() if not _is_logged(logged, wanted, one, *above)]
    if not bare_vpcs:
        return _ok(f"all of {len(vpcs)} VPCs are logged")
    counts = f"{len(bare_vpcs)} of {len(vpcs)} VPCs, {len(bare_subnets)} subnets and {len(bare_interfaces)} interfaces"
    lacking = (*bare_vpcs, *bare_subnets, *bare_interfaces)
    return _missing(f"{counts} have no flow log of {wanted.flow_logs.traffic.lower()} traffic", lacking)


def _traffic_logged(place: Place) -> dict[str, set[str]]:
    """What of the traffic is logged, by VPC, subnet or interface. A flow log whose delivery fails logs nothing."""
    found: dict[str, set[str]] = {}
    for told in place.listed("flow logs"):
        if text(told.get("FlowLogStatus")) != "ACTIVE" or text(told.get("DeliverLogsStatus")) == "FAILED":
            continue
        log = flow_log_of(Scope(place.account, place.region), told)
        traffic = text(log.value.get("TrafficType"))
        found.setdefault(log.key.resource, set()).update({"ACCEPT", "REJECT"} if traffic == "ALL" else {traffic})
    return found


@dataclass(frozen=True)
class NatAlarm:
    """An alarm that each NAT gateway is to have.

    See https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway-cloudwatch.html
    """

    metric: str
    statistic: str
    period: int
    periods: int
    comparison: str
    threshold: float
    about: str

    def is_met_by(self, told: Mapping[str, Any]) -> bool:
        """Whether an alarm is this one, or one that is not slower to ring, and rings for somebody."""
        exact = {
            "Namespace": "AWS/NATGateway",
            "MetricName": self.metric,
            "Statistic": self.statistic,
            "Period": self.period,
            "EvaluationPeriods": self.periods,
            "ComparisonOperator": self.comparison,
        }
        rings = flag(told.get("ActionsEnabled")) and bool(items(told.get("AlarmActions")))
        return rings and all(told.get(name) == value for name, value in exact.items()) and told.get("Threshold") == self.threshold


NAT = (
    NatAlarm("BytesOutToDestination", "Sum", 900, 1, "GreaterThanOrEqualToThreshold", 5_000_000.0, "much traffic goes out"),
    NatAlarm("ErrorPortAllocation", "Maximum", 300, 3, "GreaterThanThreshold", 0.0, "no port was left for a connection"),
)


def unwarned(place: Place) -> dict[str, list[NatAlarm]]:
    """The NAT gateways that lack alarms, with those that they lack."""
    there = [one for one in place.listed("NAT gateways") if one.get("State") in ("available", "pending")]
    gateways = [text(one.get("NatGatewayId")) for one in there]
    alarms = place.listed("alarms")
    lacking = {gateway: [one for one in NAT if not any(_rings(one, gateway, told) for told in alarms)] for gateway in gateways}
    return {gateway: some for gateway, some in lacking.items() if some}


def _rings(alarm: NatAlarm, gateway: str, told: Mapping[str, Any]) -> bool:
    return list(structures(told.get("Dimensions"))) == [{"Name": "NatGatewayId", "Value": gateway}] and alarm.is_met_by(told)


def _nat_alarms(place: Place, wanted: Preparation) -> _Judged:
    lacking, there = unwarned(place), len(place.listed("NAT gateways"))
    if not lacking:
        return _ok("both alarms for each" if there else "there is no NAT gateway")
    words = [f"{gateway} lacks {', '.join(one.metric for one in some)}" for gateway, some in lacking.items()]
    return _missing("; ".join(words), lacking)


def _trail(place: Place, wanted: Preparation) -> _Judged:
    trails = place.listed("trails")
    for one in trails:
        if flag(one.get("IsMultiRegionTrail")) and flag(one.get("LogFileValidationEnabled")) and flag(one.get("IsLogging")):
            failing = text(one.get("LatestDeliveryError"))
            if failing:
                return _missing(f"{text(one.get('Name'))} cannot deliver: {failing}", todo="mend the bucket and its policy")
            return _ok(f"{text(one.get('Name'))} logs every region, with validation")
    lacks = {"IsMultiRegionTrail": "is of one region", "LogFileValidationEnabled": "has no validation", "IsLogging": "does not log"}
    told = [f"{text(one.get('Name'))} {' and '.join(word for name, word in lacks.items() if not one.get(name))}" for one in trails]
    return _missing("; ".join(told) or "there is no trail")


def _guardduty(place: Place, wanted: Preparation) -> _Judged:
    detectors = place.listed("detectors")
    if not detectors:
        return _missing("GuardDuty is off")
    one = detectors[0]
    if text(one.get("Status")) != "ENABLED":
        return _missing("GuardDuty is suspended")
    often = text(one.get("FindingPublishingFrequency"))
    if often != FIFTEEN_MINUTES:
        return _missing(f"on, but it publishes only every {often.lower().replace('_', ' ')}")
    return _ok("on, every 15 minutes")


_RECORDED = ("AWS::EC2::SecurityGroup", "AWS::EC2::RouteTable", "AWS::EC2::NetworkAcl", "AWS::EC2::InternetGateway")


def _recorder(place: Place, wanted: Preparation) -> _Judged:
    recorders, channels = place.listed("recorders"), place.listed("delivery channels")
    running = {text(one.get("name")): one for one in place.listed("recorder status") if flag(one.get("recording"))}
    if not recorders:
        return _missing("there is no recorder")
    if text(recorders[0].get("name")) not in running:
        return _missing("the recorder does not record")
    if not channels:
        return _missing("nothing says where to deliver")
    status = running[text(recorders[0].get("name"))]
    if text(status.get("lastStatus")).upper() == "FAILURE":
        return _missing(f"it fails: {text(status.get('lastErrorMessage'))}", todo="mend its role, the bucket and its policy")
    group = mapping(recorders[0].get("recordingGroup"))
    left_out = [] if flag(group.get("allSupported")) else [one for one in _RECORDED if one not in items(group.get("resourceTypes"))]
    if left_out:
        by_hand = "add them in AWS Config: a recorder that somebody chose is not changed by a plan"
        return _missing(f"it does not say that it records {', '.join(left_out)}", todo=by_hand)
    return _ok("records")


def standard_arn(region: str) -> str:
    """https://docs.aws.amazon.com/securityhub/latest/userguide/fsbp-standard.html"""
    partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
    return f"arn:{partition}:securityhub:{region}::standards/aws-foundational-security-best-practices/v/1.0.0"


def topic_arn(name: str, account: str, region: str) -> str:
    """A topic of one place."""
    return f"arn:{standard_arn(region).split(':')[1]}:sns:{region}:{account}:{name}"


def _hub(place: Place, wanted: Preparation) -> _Judged:
    if not place.listed("hub"):
        return _missing("Security Hub is off")
    standards = {text(one.get("StandardsArn")): text(one.get("StandardsStatus")) for one in place.listed("standards")}
    status = standards.get(standard_arn(place.region), "")
    if status in ("READY", "INCOMPLETE", "PENDING"):
        return _ok(f"foundational best practices are {status.lower()}")
    return _missing(f"foundational best practices are {status.lower() or 'not enabled'}")


def _changes(place: Place, wanted: Preparation) -> _Judged:
    topics, others = _covered(place)
    if any(one.startswith("https://") for one in wanted.alerts.subscribe):
        # The topic itself brings them to the gateway.
        others |= topics
    every = set(change_rules.operations())
    untold, unheard = sorted(every - topics), sorted(every - others)
    if not untold and not unheard:
        return _ok(f"all of {len(every)} operations go to a topic and on to Countermand")
    words = [f"{len(untold)} of {len(every)} operations reach no topic"] if untold else []
    words += [f"{len(unheard)} reach no API destination, queue or bus that could be Countermand's"] if unheard else []
    return _missing("; ".join(words), untold or unheard)


def _covered(place: Place) -> tuple[set[str], set[str]]:
    """The operations whose events reach a topic, and those whose events reach what may bring them to us."""
    topics, others = set[str](), set[str]()
    for rule in place.listed("event rules"):
        if not may_match(rule):
            continue
        matched = change_rules.matched(document(rule.get("EventPattern")))
        names = set(change_rules.operations()) if matched is None else set(matched)
        arns = [text(one.get("Arn")) for one in structures(rule.get("Targets"))]
        if any(":sns:" in arn for arn in arns):
            topics |= names
        if any(":api-destination/" in arn or ":sqs:" in arn or ":event-bus/" in arn for arn in arns):
            others |= names
    return topics, others


def _ports(place: Place, wanted: Preparation) -> _Judged:
    rules = [one for one in place.listed("Config rules") if mapping(one.get("Source")).get("SourceIdentifier") == PORTS_RULE]
    asked = ports_parameters(wanted)
    for one in rules:
        if text(one.get("ConfigRuleState")) not in ("", "ACTIVE", "EVALUATING"):
            continue
        if {name: text(value) for name, value in mapping(document(one.get("InputParameters"))).items() if value} != asked:
            continue
        remedies = structures(one.get("RemediationConfigurations"))
        if wanted.open_ports.remediate and not remedies:
            return _missing(f"{text(one.get('ConfigRuleName'))} has no remediation")
        return _ok(f"{text(one.get('ConfigRuleName'))} allows {', '.join(wanted.open_ports.tcp) or 'no TCP port'}")
    return _missing("no Config rule allows just these ports" if rules else "no Config rule watches open ports")


def ports_parameters(wanted: Preparation) -> dict[str, str]:
    """https://docs.aws.amazon.com/config/latest/developerguide/vpc-sg-open-only-to-authorized-ports.html"""
    both = {"authorizedTcpPorts": ",".join(wanted.open_ports.tcp), "authorizedUdpPorts": ",".join(wanted.open_ports.udp)}
    return {name: ports for name, ports in both.items() if ports}


_JUDGES = {
    FLOW_LOGS: _flow_logs,
    NAT_ALARMS: _nat_alarms,
    TRAIL: _trail,
    GUARDDUTY: _guardduty,
    RECORDER: _recorder,
    HUB: _hub,
    CHANGES: _changes,
    PORTS: _ports,
}
