"""What else lets a user in: MFA devices, SSH keys, signing certificates, service-specific credentials, and the rules of passwords.

Each belongs to its user and goes with them. None of them can be had back: AWS shows no secret twice.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_EnableMFADevice.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadSSHPublicKey.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccountPasswordPolicy.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from incident.family import Acts, Change, Family, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, family
from incident.network.values import flag, mapping, structures, text, whole
from incident.record import JsonObject
from incident.resources.iam import IAM, NO_SUCH, POLICY_RANK, Policies, key, known_or, shown
from incident.settings import Observed, SettingKey, Value, Write

_OWNERS = Policies("User")
_USER = _OWNERS.kind
MFA_DEVICE = "mfa-device"
USER_MFA_DEVICE = "user-mfa-device"
SIGN_IN_RULES = "password-policy"

# After the users whose devices they are, for AWS deletes no device that a user has.
_DEVICE_RANK = 52


# --- MFA devices --------------------------------------------------------------------------------------------------------------


def _create_device(event: Event) -> Iterator[Write]:
    made = mapping(event.response.get("VirtualMFADevice"))
    yield Write(key(event, MFA_DEVICE, text(made.get("SerialNumber"))), {}, before=None)


def _delete_device(event: Event) -> Iterator[Write]:
    yield Write(key(event, MFA_DEVICE, event.requested("SerialNumber")), None, before={})


def _observe_devices(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for device in structures(answer.get("VirtualMFADevices")):
        yield shown(scope, MFA_DEVICE, device.get("SerialNumber"), {})


def _change_device(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is not None:
        return Unrestorable("a deleted MFA device cannot be had back: its seed is gone", "Let the user set up a new one.")
    named = {"SerialNumber": setting.resource}
    return IAM.call("DeleteVirtualMFADevice", named, irreversible="the device's seed is gone: a new one must be set up")


MFA_DEVICES = family(
    Kind(MFA_DEVICE, _DEVICE_RANK, lambda setting: IAM.read("ListVirtualMFADevices"), _change_device),
    service=IAM.source,
    readers={"CreateVirtualMFADevice": _create_device, "DeleteVirtualMFADevice": _delete_device},
    observers={"ListVirtualMFADevices": _observe_devices},
    inventory=(IAM.read("ListVirtualMFADevices"),),
    absent_codes=(NO_SUCH,),
    home_only=True,
    acts={
        MFA_DEVICE: Acts(removes=("iam:DeleteVirtualMFADevice",)),
    },
)


def _device_of(event: Event) -> SettingKey:
    return key(event, USER_MFA_DEVICE, _OWNERS.holder(event), event.requested("SerialNumber"))


def _enable(event: Event) -> Iterator[Write]:
    """Who has a device already is refused, so that it was not there."""
    yield Write(_device_of(event), {}, before=None)


def _deactivate(event: Event) -> Iterator[Write]:
    yield Write(_device_of(event), None, before={})


def _observe_users_devices(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for device in structures(answer.get("MFADevices")):
        yield shown(scope, USER_MFA_DEVICE, read.parameters["UserName"], {}, text(device.get("SerialNumber")))


def _change_users_device(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is not None:
        reason = "a deactivated MFA device cannot be enabled for its user: that takes two codes of the device"
        return Unrestorable(reason, "Let the user enable it again, and until then take it for granted that a password is enough.")
    named = {"UserName": setting.resource, "SerialNumber": setting.name}
    return IAM.call("DeactivateMFADevice", named, irreversible="whoever has the device must enable it again, with two codes of it")


USERS_MFA_DEVICES = family(
    Kind(
        USER_MFA_DEVICE,
        POLICY_RANK,
        lambda setting: IAM.read("ListMFADevices", UserName=setting.resource),
        _change_users_device,
        part_of=_USER,
    ),
    service=IAM.source,
    readers={"EnableMFADevice": _enable, "DeactivateMFADevice": _deactivate},
    observers={"ListMFADevices": _observe_users_devices},
    inventory=(),
    absent_codes=(NO_SUCH,),
    acts={
        USER_MFA_DEVICE: Acts(removes=("iam:DeactivateMFADevice",)),
    },
)


# --- SSH keys, signing certificates, service-specific credentials -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Credential:
    """A credential that is active or not; IAM names the operations on all of them alike, by `noun`, and answers with `member`."""

    kind: str
    noun: str
    create: str
    member: str

    @property
    def id(self) -> str:
        return f"{self.member}Id"

    def _named(self, event: Event) -> SettingKey:
        return key(event, self.kind, _OWNERS.holder(event), event.requested(self.id))

    def _created(self, event: Event) -> Iterator[Write]:
        made = mapping(event.response.get(self.member))
        owner = text(made.get("UserName")) or _OWNERS.holder(event)
        yield Write(key(event, self.kind, owner, text(made[self.id])), "Active", before=None)

    def _updated(self, event: Event) -> Iterator[Write]:
        yield Write(self._named(event), event.requested("Status"))

    def _deleted(self, event: Event) -> Iterator[Write]:
        setting = self._named(event)
        yield Write(setting, None, before=known_or(event, setting, "Active"))

    def _observe(self, scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
        for one in structures(answer.get(f"{self.member}s")):
            yield shown(scope, self.kind, read.parameters["UserName"], text(one.get("Status")), text(one.get(self.id)))

    def _change(self, setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
        what = self.kind.replace("-", " ")
        if live is None:
            return Unrestorable(f"a deleted {what} cannot be had back", "Let its owner make a new one.")
        named = {"UserName": setting.resource, self.id: setting.name}
        if wanted is None:
            return IAM.call(f"Delete{self.noun}", named, irreversible=f"a deleted {what} cannot be had back")
        return IAM.call(f"Update{self.noun}", {**named, "Status": wanted})

    def family(self) -> Family:
        def read(setting: SettingKey) -> Read:
            return IAM.read(f"List{self.noun}s", UserName=setting.resource)

        return family(
            Kind(self.kind, POLICY_RANK, read, self._change, part_of=_USER),
            service=IAM.source,
            readers={self.create: self._created, f"Update{self.noun}": self._updated, f"Delete{self.noun}": self._deleted},
            observers={f"List{self.noun}s": self._observe},
            inventory=(),
            absent_codes=(NO_SUCH,),
            acts={self.kind: Acts(sets=(f"iam:Update{self.noun}",), removes=(f"iam:Delete{self.noun}",))},
        )


_CREDENTIALS = (
    _Credential("ssh-public-key", "SSHPublicKey", "UploadSSHPublicKey", "SSHPublicKey"),
    _Credential("signing-certificate", "SigningCertificate", "UploadSigningCertificate", "Certificate"),
    _Credential(
        "service-specific-credential",
        "ServiceSpecificCredential",
        "CreateServiceSpecificCredential",
        "ServiceSpecificCredential",
    ),
)

USER_CREDENTIAL_KINDS = frozenset({USER_MFA_DEVICE, *(one.kind for one in _CREDENTIALS)})
"""The kinds of settings here that a user has: whoever takes one away cuts the user off."""


# --- the rules of passwords ---------------------------------------------------------------------------------------------------

_FLAGS = (
    "AllowUsersToChangePassword",
    "RequireLowercaseCharacters",
    "RequireNumbers",
    "RequireSymbols",
    "RequireUppercaseCharacters",
)
_SHORTEST = 6


def _rules(told: JsonObject) -> Value:
    """The rules as the parameters that set them.

    An update sets all of them: those that it does not name become as AWS has them at first.
    """
    numbers = {name: whole(told.get(name)) for name in ("MaxPasswordAge", "PasswordReusePrevention")}
    return {
        "MinimumPasswordLength": whole(told.get("MinimumPasswordLength")) or _SHORTEST,
        **{name: flag(told.get(name)) for name in _FLAGS},
        **{name: number for name, number in numbers.items() if number},
        **({"HardExpiry": True} if flag(told.get("HardExpiry")) else {}),
    }


def _rules_of(account: str, event: Event) -> SettingKey:
    return key(event, SIGN_IN_RULES, account, "rules")


def _update_rules(event: Event) -> Iterator[Write]:
    yield Write(_rules_of(event.record.account, event), _rules(event.request))


def _delete_rules(event: Event) -> Iterator[Write]:
    yield Write(_rules_of(event.record.account, event), None)


def _observe_rules(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    rules = mapping(answer.get("PasswordPolicy"))
    if rules:
        yield shown(scope, SIGN_IN_RULES, scope.account, _rules(rules), "rules")


def _change_rules(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return IAM.call("DeleteAccountPasswordPolicy", {})
    return IAM.call("UpdateAccountPasswordPolicy", wanted)


PASSWORD_POLICIES = family(
    Kind(SIGN_IN_RULES, POLICY_RANK, lambda setting: IAM.read("GetAccountPasswordPolicy"), _change_rules),
    service=IAM.source,
    readers={"UpdateAccountPasswordPolicy": _update_rules, "DeleteAccountPasswordPolicy": _delete_rules},
    observers={"GetAccountPasswordPolicy": _observe_rules},
    inventory=(IAM.read("GetAccountPasswordPolicy"),),
    absent_codes=(NO_SUCH,),
    home_only=True,
    acts={
        SIGN_IN_RULES: Acts(sets=("iam:UpdateAccountPasswordPolicy",), removes=("iam:DeleteAccountPasswordPolicy",)),
    },
)

FAMILIES = (MFA_DEVICES, USERS_MFA_DEVICES, *(one.family() for one in _CREDENTIALS), PASSWORD_POLICIES)
