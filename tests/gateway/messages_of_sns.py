"""Messages as SNS signs them, under an authority that only tests trust."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

REGION, ACCOUNT = "eu-west-1", "111122223333"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:findings"
ADDRESS = f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-{'0a' * 16}.pem"
_FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


class Authority:
    """An authority and the certificates that it signs."""

    def __init__(self, name: str = "Test Root") -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        self.certificate = self._signed(name, self.key, None, days=(-1, 365))

    def store(self) -> verification.Store:
        return verification.Store([self.certificate])

    def issues(self, name: str, key: rsa.RSAPrivateKey, days: tuple[float, float] = (-1, 30)) -> bytes:
        """The PEM of a certificate for a key, good between two days from now."""
        return self._signed(name, key, name, days).public_bytes(serialization.Encoding.PEM)

    def _signed(self, name: str, key: rsa.RSAPrivateKey, host: str | None, days: tuple[float, float]) -> x509.Certificate:
        now = datetime.now(UTC)
        issuer = "Test Root" if host else name
        built = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if host:
            built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        else:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            built = built.add_extension(usage, critical=True)
            built = built.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return built.sign(self.key, hashes.SHA256())


class Signer:
    """Signs messages as SNS does."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)

    def signed(self, message: Mapping[str, Any], *, version: str = "2") -> dict[str, Any]:
        fields = [name for name in _FIELDS[message["Type"]] if name in message]
        text = "".join(f"{name}\n{message[name]}\n" for name in fields).encode()
        digest = hashes.SHA256() if version == "2" else hashes.SHA1()
        signature = base64.b64encode(self.key.sign(text, padding.PKCS1v15(), digest)).decode()
        return {"SigningCertURL": ADDRESS, **message, "SignatureVersion": version, "Signature": signature}

    def notification(self, content: object, *, sent: datetime | None = None, **more: Any) -> dict[str, Any]:
        message = content if isinstance(content, str) else json.dumps(content)
        return self.signed({**_envelope("Notification", message, sent), **more})

    def confirmation(self, **more: Any) -> dict[str, Any]:
        said = {"Token": "t" * 64, "SubscribeURL": f"https://sns.{REGION}.amazonaws.com/?Action=ConfirmSubscription"}
        return self.signed({**_envelope("SubscriptionConfirmation", "You have chosen to subscribe.", None), **said, **more})


def _envelope(kind: str, message: str, sent: datetime | None) -> dict[str, Any]:
    return {
        "Type": kind,
        "MessageId": str(uuid.uuid4()),
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": (sent or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
    }
