"""A VPC on the range with flow logs, and what AWS would deliver for them."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

from drill.aws import Range
from drill.client import boto_client
from incident.flow_log_format import DEFAULT_FORMAT

ACCOUNT, REGION, BUCKET = "111122223333", "us-east-1", "range-flow-logs"
NOW = datetime.now(UTC).replace(microsecond=0)
SINCE, UNTIL = NOW - timedelta(hours=2), NOW
BOTH_LAYOUTS = {
    "plain": "AWSLogs/{0}/vpcflowlogs/{1}/{2:%Y/%m/%d}/",
    "hive": "AWSLogs/aws-account-id={0}/aws-service=vpcflowlogs/aws-region={1}/year={2:%Y}/month={2:%m}/day={2:%d}/hour={2:%H}/",
}
FORMAT = " ".join(f"${{{name}}}" for name in ("srcaddr", "dstaddr", "dstport", "srcport", "interface-id", *DEFAULT_FORMAT[7:]))


class Estate:
    """A VPC with an interface, a bucket and whatever flow logs a test makes."""

    def __init__(self, aws: Range) -> None:
        self.url = aws.url
        self.ec2, self.s3, self.logs = (boto_client(aws.url, name, REGION, aws.bootstrap()) for name in ("ec2", "s3", "logs"))
        self.s3.create_bucket(Bucket=BUCKET)
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        self.eni = self.ec2.create_network_interface(SubnetId=self.subnet)["NetworkInterface"]["NetworkInterfaceId"]

    def log(self, resource: str = "", kind: str = "VPC", **more: str) -> str:
        to = more or {"LogDestinationType": "s3", "LogDestination": f"arn:aws:s3:::{BUCKET}"}
        asked = {"ResourceType": kind, "ResourceIds": [resource or self.vpc], "TrafficType": "ALL", **to}
        return self.ec2.create_flow_logs(**asked)["FlowLogIds"][0]

    def put(
        self, log: str, content: bytes, layout: str = "plain", suffix: str = "log.gz", at: datetime = NOW, before: str = ""
    ) -> str:
        name = f"{ACCOUNT}_vpcflowlogs_{REGION}_{log}_{at:%Y%m%dT%H%M}Z_1a2b.{suffix}"
        key = before + BOTH_LAYOUTS[layout].format(ACCOUNT, REGION, at) + name
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return key


def record(source: str, size: int = 100, at: datetime = NOW) -> str:
    start = int(at.timestamp()) - 120
    return f"2 {ACCOUNT} eni-1 {source} 10.0.1.5 40000 22 6 1 {size} {start} {start + 60} ACCEPT OK"


def packed(*records: str) -> bytes:
    return gzip.compress("\n".join((" ".join(DEFAULT_FORMAT), *records, "")).encode())
