"""Identity providers and what else lets a user in, on the range: Mallory makes a way back in, and all is as before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from range_account import REGION, Account, Hand, nothing, now, operations, returns
from roundtrip import told_wrongly, values

from drill.aws import Range, RangeConfig
from gateway.practice.configuration import granted_to
from incident.family import Scope
from incident.resources import credentials, federation
from incident.resources.identity import USERS
from incident.settings import Fold, Observed, SettingKey
from tasks.baseline import sweep_region

LOOKED_AT = (*federation.FAMILIES, *credentials.FAMILIES, USERS)
OF_USERS = tuple(family for family in credentials.FAMILIES if not family.inventory)
DOCUMENT = f"<EntityDescriptor entityID='https://idp.corp'>{'x' * 1000}</EntityDescriptor>"
PRINT, OTHER_PRINT = "6938fd4d98bab03faadb97b34396831e3780aea1", "1c58a3a8518e8759bf075b76b750d4f2df264fcd"


class Ways(Account):
    """An account of which a real sweep shows the ways in, with what each user has besides."""

    def settings(self) -> dict[SettingKey, Observed]:
        swept = sweep_region(self.reader, self.scope, now())
        assert swept.failed == {}
        found = {one.key: one for one in swept.settings}
        users = [key for key in found if key.kind == "user"]
        return found | {one.key: one for user in users for one in self._held(user)}

    def _held(self, user: SettingKey) -> list[Observed]:
        scope = Scope(user.account, self.scope.region)
        reads = [(family, family.read(user._replace(kind=family.kinds[0]))) for family in OF_USERS]
        return [
            one for family, read in reads for page in self.reader.read_all(scope, read) for one in family.observe(scope, read, page)
        ]

    def told_wrongly(self, folded: Fold) -> dict[str, Any]:
        kinds = {kind for family in LOOKED_AT for kind in family.kinds}
        return {key: found for key, found in told_wrongly(folded, values(self.settings())).items() if key.split("/")[2] in kinds}


@pytest.fixture(scope="module")
def running() -> Iterator[Range]:
    with Range(RangeConfig(regions=(REGION,), granted=granted_to(["111122223333"]))) as aws:
        yield aws


@pytest.fixture
def account(running: Range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ways:
    running.reset()
    keys = running.responder()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token or "")
    monkeypatch.setattr("tasks.baseline.FAMILIES", LOOKED_AT)
    return Ways(running, tmp_path, LOOKED_AT)


def certificate() -> str:
    """A certificate as IAM takes it for signing."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mallory")])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today)
        .not_valid_after(today + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def federated(account: Account) -> None:
    """A company's identity provider, a pipeline's, a user with a device, and rules for passwords."""
    iam = account.owner("iam")
    iam.create_saml_provider(Name="Corp", SAMLMetadataDocument=DOCUMENT)
    iam.create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"], ThumbprintList=[PRINT]
    )
    iam.create_user(UserName="bob")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="bob")["VirtualMFADevice"]["SerialNumber"]
    enable(iam, "bob", device)
    iam.update_account_password_policy(MinimumPasswordLength=14, RequireSymbols=True, MaxPasswordAge=90, PasswordReusePrevention=5)


def enable(iam: Any, user: str, device: str) -> None:
    iam.enable_mfa_device(UserName=user, SerialNumber=device, AuthenticationCode1="123456", AuthenticationCode2="654321")


def arn(account: Account, rest: str) -> str:
    return f"arn:aws:iam::{account.scope.account}:{rest}"


def saml(account: Account) -> str:
    return arn(account, "saml-provider/Corp")


def oidc(account: Account) -> str:
    return arn(account, "oidc-provider/token.actions.githubusercontent.com")


def make_providers(account: Account) -> None:
    iam = account.mallory("iam")
    iam.create_saml_provider(Name="Mine", SAMLMetadataDocument=DOCUMENT)
    iam.create_open_id_connect_provider(Url="https://mine.example", ClientIDList=["mine"], ThumbprintList=[OTHER_PRINT])


def change_providers(account: Account) -> None:
    iam = account.mallory("iam")
    iam.update_saml_provider(SAMLProviderArn=saml(account), SAMLMetadataDocument=DOCUMENT.replace("corp", "mallory"))
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=oidc(account), ThumbprintList=[OTHER_PRINT])
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=oidc(account), ClientID="mallory")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=oidc(account), ClientID="sts.amazonaws.com")


def delete_providers(account: Account) -> None:
    iam = account.mallory("iam")
    iam.delete_saml_provider(SAMLProviderArn=saml(account))
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=oidc(account))


def give_credentials(account: Account) -> None:
    iam = account.mallory("iam")
    iam.upload_ssh_public_key(UserName="bob", SSHPublicKeyBody="ssh-rsa AAAA")
    iam.upload_signing_certificate(UserName="bob", CertificateBody=certificate())
    iam.create_service_specific_credential(UserName="bob", ServiceName="codecommit.amazonaws.com")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="mine")["VirtualMFADevice"]["SerialNumber"]
    enable(iam, "bob", device)


def loosen_rules(account: Account) -> None:
    account.mallory("iam").update_account_password_policy(MinimumPasswordLength=6, HardExpiry=True)


def delete_rules(account: Account) -> None:
    account.mallory("iam").delete_account_password_policy()


@pytest.mark.parametrize(
    ("build", "attack", "calls"),
    [
        (federated, make_providers, ["DeleteOpenIDConnectProvider", "DeleteSAMLProvider"]),
        (
            federated,
            change_providers,
            [
                "AddClientIDToOpenIDConnectProvider",
                "RemoveClientIDFromOpenIDConnectProvider",
                "UpdateOpenIDConnectProviderThumbprint",
                "UpdateSAMLProvider",
            ],
        ),
        (federated, delete_providers, ["CreateOpenIDConnectProvider", "CreateSAMLProvider"]),
        (
            federated,
            give_credentials,
            [
                "DeactivateMFADevice",
                "DeleteSSHPublicKey",
                "DeleteServiceSpecificCredential",
                "DeleteSigningCertificate",
                "DeleteVirtualMFADevice",
            ],
        ),
        (federated, loosen_rules, ["UpdateAccountPasswordPolicy"]),
        (federated, delete_rules, ["UpdateAccountPasswordPolicy"]),
        (nothing, loosen_rules, ["DeleteAccountPasswordPolicy"]),
    ],
)
def test_a_way_in_is_closed_and_what_there_was_is_back(account: Ways, build: Hand, attack: Hand, calls: list[str]):
    proposal = returns(account, build, attack)
    assert sorted(operations(proposal)) == calls


def test_a_deactivated_device_is_left_to_people(account: Ways):
    federated(account)
    before = account.settings()
    account.mallory("iam").deactivate_mfa_device(UserName="bob", SerialNumber=arn(account, "mfa/bob"))
    proposal = account.proposed(account.fold(before))
    assert proposal.steps == ()
    (left,) = proposal.unplanned
    assert left.status == "not-invertible"
    assert "enable it again" in left.advice
