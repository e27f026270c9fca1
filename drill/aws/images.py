"""A few of Amazon's machine images in every region, in place of moto's thousands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

# The same ids in every region, so that a scenario can name one.
AMAZON_LINUX_2023 = "ami-0a1b2c3d4e5f60001"
UBUNTU_2404 = "ami-0a1b2c3d4e5f60002"
WINDOWS_2022 = "ami-0a1b2c3d4e5f60003"

_AMAZON = "137112412989"
_CATALOGUE: tuple[dict[str, Any], ...] = (
    {
        "ami_id": AMAZON_LINUX_2023,
        "name": "al2023-ami-2023.6.20250115.0-kernel-6.1-x86_64",
        "description": "Amazon Linux 2023 AMI 2023.6 x86_64 HVM kernel-6.1",
        "owner_id": _AMAZON,
        "root_device_name": "/dev/xvda",
    },
    {
        "ami_id": UBUNTU_2404,
        "name": "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250115",
        "description": "Canonical, Ubuntu, 24.04, amd64 noble image",
        "owner_id": "099720109477",
        "root_device_name": "/dev/sda1",
    },
    {
        "ami_id": WINDOWS_2022,
        "name": "Windows_Server-2022-English-Full-Base-2025.01.15",
        "description": "Microsoft Windows Server 2022 Full Locale English AMI",
        "owner_id": "801119661308",
        "root_device_name": "/dev/sda1",
        "platform": "windows",
    },
)


def load_images(ec2: Any) -> None:
    """Register the catalogue in one region's moto backend."""
    from moto.ec2.models.amis import Ami

    for entry in _CATALOGUE:
        if entry["ami_id"] in ec2.amis:
            continue
        ec2.amis[entry["ami_id"]] = Ami(
            ec2,
            owner_alias="amazon",
            public=True,
            virtualization_type="hvm",
            architecture="x86_64",
            image_type="machine",
            hypervisor="xen",
            root_device_type="ebs",
            creation_date=datetime(2025, 1, 15),  # noqa: DTZ001  moto keeps naive UTC
            region_name=f"{ec2.region_name}a",
            **entry,
        )
