"""Where Countermand finds its AWS, its ledger, its Slack and its policy: one file, or the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from incident.policy import Policy
from incident.posture.preparation import Preparation
from tasks.running_config import LogConfig, ServeConfig, SweepConfig, TracesConfig


class ConfigError(Exception):
    """The configuration cannot be used; the message says which line or variable to mend, and how."""


class EventsConfig(BaseModel):
    """Where CloudTrail's events are read.

    Attributes:
        source: `lookup` is the event history (90 days, two calls a second); `trail-files` the files of a trail in S3; `lake` an
            event data store of CloudTrail Lake.
        bucket: the trail's bucket.
        prefix: the trail's key prefix, what stands before `AWSLogs/` in the bucket.
        organization: the organization's id, for a trail of an organization.
        event_data_store: the id or ARN of the event data store.
        account: whose credentials read the bucket or the store; empty means our own.
        region: where the bucket or the store is; empty means the home region.
        days: how far back the files or the store go.
    """

    model_config = ConfigDict(extra="forbid")

    source: Literal["lookup", "trail-files", "lake"] = "lookup"
    bucket: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$")
    prefix: str = Field(default="", pattern=r"^([^/].*[^/]|[^/])?$")
    organization: str = Field(default="", pattern=r"^(o-[a-z0-9]{10,32})?$")
    event_data_store: str = Field(default="", pattern=r"^(arn:[a-z-]+:cloudtrail:[^ ]+/)?([a-f0-9-]{36})?$")
    account: str = Field(default="", pattern=r"^(\d{12})?$")
    region: str = ""
    days: int = Field(default=365, ge=1, le=3653)

    @model_validator(mode="after")
    def _names_what_its_source_needs(self) -> EventsConfig:
        needed = {"trail-files": "bucket", "lake": "event_data_store"}
        if self.source in needed and not getattr(self, needed[self.source]):
            raise ValueError(f"source {self.source} needs {needed[self.source]}; add it, or set source to lookup")
        for source, fields in _FIELDS_OF_SOURCE.items():
            given = [name for name in fields if getattr(self, name)]
            if given and source != self.source:
                raise ValueError(f"{given[0]} goes with source {source}, not {self.source}; set source to {source}, or remove it")
        return self


_FIELDS_OF_SOURCE = {"trail-files": ("bucket", "prefix", "organization"), "lake": ("event_data_store",)}


class AwsConfig(BaseModel):
    """How AWS is reached.

    Attributes:
        accounts: the account ids to cover; the first is the one of the credentials themselves.
        organization: cover every active account of the organization too; the credentials' account must be its management account or
            a delegated administrator.
        source_identity: name the incident as the source identity of our own sessions too; the role's trust must allow
            `sts:SetSourceIdentity`.
        role_name: the role to assume in every other account.
        external_id: the external id of that role's trust policy.
        home_region: where global services are asked.
        endpoint_url: another address for every service; only for the practice range.
        delivery_lag_seconds: how long CloudTrail may take to show an event (AWS: usually within 15 minutes).
        spread_seconds: how long a change in IAM may take to be true everywhere (AWS: seconds); containment is read again after it.
        call_deadline_seconds: how long a change may take to show in a read before the step is reported as not confirmed.
        dependency_deadline_seconds: how long a step is tried again while AWS says that something still depends on the resource.
        snapshot_deadline_seconds: how long to wait for snapshots to complete.
        costs: count what costs and ask Cost Explorer for each report; Cost Explorer charges 0.01 USD for each account asked.
        security_hub: import incidents and exposures into Security Hub as findings with each report; the role's stack must say
            `ImportFindings: yes`.
        events: where CloudTrail's events are read.
    """

    model_config = ConfigDict(extra="forbid")

    accounts: tuple[str, ...] = ()
    organization: bool = False
    source_identity: bool = False
    role_name: str = "CountermandResponder"
    external_id: str = ""
    home_region: str = "us-east-1"
    endpoint_url: str | None = None
    delivery_lag_seconds: float = Field(default=900, ge=0)
    spread_seconds: float = Field(default=15, ge=0, le=600)
    call_deadline_seconds: float = Field(default=300, gt=0)
    dependency_deadline_seconds: float = Field(default=300, ge=0)
    snapshot_deadline_seconds: float = Field(default=6 * 3600, gt=0)
    costs: bool = True
    security_hub: bool = False
    events: EventsConfig = EventsConfig()


class EvidenceStoreConfig(BaseModel):
    """Where evidence is kept.

    Attributes:
        kind: `folder` is a folder under `home`; `s3` a bucket with Object Lock.
        bucket: the bucket.
        prefix: what stands before the incident's id in a key.
        account: whose credentials write the bucket, such as those of an evidence account; empty means our own.
        region: where the bucket is; empty means the home region.
        key: the id or ARN of the KMS key under which items are encrypted; empty means what the bucket says.
        retention_days: how long an item is locked.
        mode: `governance` lets those who may bypass a lock do so; `compliance` lets nobody, and cannot be undone.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["folder", "s3"] = "folder"
    bucket: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$")
    prefix: str = Field(default="", pattern=r"^([^/].*[^/]|[^/])?$")
    account: str = Field(default="", pattern=r"^(\d{12})?$")
    region: str = ""
    key: str = ""
    retention_days: int = Field(default=365, ge=1, le=36500)
    mode: Literal["governance", "compliance"] = "governance"

    @model_validator(mode="after")
    def _names_what_its_kind_needs(self) -> EvidenceStoreConfig:
        if self.kind == "s3" and not self.bucket:
            raise ValueError("kind s3 needs bucket; add it, or set kind to folder")
        given = sorted(self.model_fields_set - {"kind"})
        if self.kind == "folder" and given:
            raise ValueError(f"{given[0]} goes with kind s3, not folder; set kind to s3, or remove it")
        return self


class FlowLogsConfig(BaseModel):
    """How flow logs are read.

    Attributes:
        account: whose credentials read the buckets, such as those of a log archive; empty means the flow log's own account.
        workgroup, database, table: where Athena finds them (`deployments/aws/flow-logs-athena.yaml`); without a workgroup Athena is
            not asked.
        athena_account, athena_region: where that is; empty means our own account, and the home region.
        wait_seconds: how long one of Athena's queries may take.
        in_report: read for each report what the actor's addresses touched.
    """

    model_config = ConfigDict(extra="forbid")

    account: str = Field(default="", pattern=r"^(\d{12})?$")
    workgroup: str = Field(default="", pattern=r"^[a-zA-Z0-9._-]{0,128}$")
    database: str = Field(default="", pattern=r"^[a-z0-9_]{0,255}$")
    table: str = Field(default="flow_logs", pattern=r"^[a-z0-9_]{1,255}$")
    athena_account: str = Field(default="", pattern=r"^(\d{12})?$")
    athena_region: str = ""
    wait_seconds: float = Field(default=300, gt=0)
    in_report: bool = True

    @model_validator(mode="after")
    def _names_what_athena_needs(self) -> FlowLogsConfig:
        if bool(self.workgroup) != bool(self.database):
            raise ValueError("workgroup and database go together; give both, as the stack's outputs name them, or neither")
        return self


class SnapshotsConfig(BaseModel):
    """What happens to the snapshots that are taken as evidence.

    Attributes:
        account: the evidence account, with which they are shared; empty means nobody.
        key: the ARN of the KMS key under which they are copied before; `{region}` in it stands for the snapshot's region. What the
            default AWS key encrypts cannot be shared.
        lock_days: for how long they are locked, in governance mode; 0 means not at all.
    """

    model_config = ConfigDict(extra="forbid")

    account: str = Field(default="", pattern=r"^(\d{12})?$")
    key: str = Field(default="", pattern=r"^(arn:[a-z-]+:kms:([a-z0-9-]+|\{region\}):\d{12}:(key|alias)/.+)?$")
    lock_days: int = Field(default=0, ge=0, le=36500)

    @model_validator(mode="after")
    def _shares_what_can_be_shared(self) -> SnapshotsConfig:
        if self.account and not self.key:
            raise ValueError("account needs key; what the default AWS key encrypts cannot be shared, so name the key to copy under")
        if self.key and not self.account:
            raise ValueError("key needs account; name the account to share with, or remove key")
        return self


class SlackConfig(BaseModel):
    """The Slack app. Without a bot token no message is sent.

    Attributes:
        mode: how clicks and commands come in: `socket` (Socket Mode) needs `app_token` and no door to the outside; `http` needs
            `signing_secret`, and the gateway's `/slack/events` reachable for Slack.
        bot_token: begins with `xoxb-`; without it no message is sent.
        app_token: begins with `xapp-`, for Socket Mode.
        signing_secret: by which Slack signs what it sends, for mode `http`.
        place: `thread` keeps each incident in one thread of `channel`; `channel` opens a private channel for each.
        channel: the channel's id.
        team: the workspace's id; people of other workspaces are refused.
        base_url: Slack's Web API; another one only for the practice Slack.
    """

    model_config = ConfigDict(extra="forbid")

    mode: Literal["socket", "http"] = "socket"
    place: Literal["thread", "channel"] = "thread"
    bot_token: SecretStr = SecretStr("")
    app_token: SecretStr = SecretStr("")
    signing_secret: SecretStr = SecretStr("")
    channel: str = ""
    team: str = ""
    base_url: str = "https://slack.com/api/"

    @model_validator(mode="after")
    def _has_what_its_mode_needs(self) -> SlackConfig:
        signing, app = self.signing_secret.get_secret_value(), self.app_token.get_secret_value()
        if self.mode == "http" and not signing:
            raise ValueError("mode http needs signing_secret; add it, or set mode to socket")
        if self.mode == "socket" and signing and not app:
            raise ValueError("signing_secret goes with mode http; set mode to http, or give app_token for Socket Mode")
        if self.bot_token.get_secret_value() and self.place == "thread" and not self.channel:
            raise ValueError("place thread needs channel; name the channel's id, or set place to channel")
        return self

    @property
    def posts(self) -> bool:
        """Whether messages are sent to Slack."""
        return bool(self.bot_token.get_secret_value())


class EmailConfig(BaseModel):
    """The mail server by which escalation sends. Without a host no e-mail is sent.

    Attributes:
        host, port: where the mail server is.
        tls: `starttls` demands STARTTLS (port 587), `tls` is TLS from the first byte (port 465), `none` is for a relay on a
            network that you trust.
        user, password: what the server wants to know; empty means it wants nothing.
        sender: the address from which it comes.
        ca_file: certificates to trust instead of the system's.
    """

    model_config = ConfigDict(extra="forbid")

    host: str = ""
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: str = Field(default="", pattern=r"^([^@\s<>]+@[^@\s<>]+)?$")
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _has_a_sender(self) -> EmailConfig:
        if self.host and not self.sender:
            raise ValueError("email needs sender; give the address from which it comes")
        if self.password.get_secret_value() and self.tls == "none":
            raise ValueError("email would send its password in the open; set tls to starttls or tls, or remove the password")
        return self


class WebhookConfig(BaseModel):
    """A webhook that escalation calls.

    Attributes:
        url: where it is; it may hold a token, and is treated as a secret.
        style: `signed` is our own JSON with an HMAC; `pagerduty` an event of Events API v2; `opsgenie` an alert; `chime` what
            an Amazon Chime webhook takes.
        key: the HMAC's key, PagerDuty's routing key, or Opsgenie's API key.
        proxy: whether the proxy of the environment is used.
    """

    model_config = ConfigDict(extra="forbid")

    url: SecretStr
    style: Literal["signed", "pagerduty", "opsgenie", "chime"] = "signed"
    key: SecretStr = SecretStr("")
    proxy: bool = True

    @model_validator(mode="after")
    def _can_be_called(self) -> WebhookConfig:
        if not self.url.get_secret_value().startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError("url must begin with https://; give the receiver's address")
        if self.style != "chime" and not self.key.get_secret_value():
            raise ValueError(f"a webhook of style {self.style} needs key; set it, best by the environment")
        return self


class QueueConfig(BaseModel):
    """An SQS queue that findings are fetched from.

    Attributes:
        url: the queue's URL.
        account: whose credentials fetch; empty means the account in the URL.
        region: where it is; empty means the region in the URL, or the home region.
        wait_seconds: how long one fetch waits for a message.
        visibility_seconds: how long a message that is being taken is hidden from others.
    """

    model_config = ConfigDict(extra="forbid")

    url: str = Field(pattern=r"^https?://[^/ ]+/(.+/)?\d{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?$")
    account: str = Field(default="", pattern=r"^(\d{12})?$")
    region: str = ""
    wait_seconds: int = Field(default=20, ge=0, le=20)
    visibility_seconds: int = Field(default=120, ge=10, le=43200)


class GatewayConfig(BaseModel):
    """The doors.

    Attributes:
        host, port: where the doors listen; put a TLS proxy before them.
        public_url: under which address people and Slack reach them.
        webhook_keys: the current key and, during a rotation, the next.
        sns_topics: ARNs of the topics that may deliver over HTTPS.
        queues: the queues that findings are fetched from.
        reconcile_seconds: how often every region is asked what GuardDuty found and nobody delivered; 0 means never.
        starts_a_minute: how many responses are started in a minute; a third of it for any one account.
        change_keys: the key, and during a rotation the next, with which a ticket system hands change requests in.
        changes_seconds: how often everybody's changes are read from CloudTrail and held against the change requests; 0 means never.
        claimed_seconds: how long a worker may take from claiming a run to its first line; then it is started again. On ECS and
            Kubernetes more than their pools' own timeouts.
    """

    model_config = ConfigDict(extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8400, ge=1, le=65535)
    public_url: str = "http://127.0.0.1:8400"
    webhook_keys: tuple[SecretStr, ...] = ()
    sns_topics: tuple[str, ...] = ()
    queues: tuple[QueueConfig, ...] = ()
    reconcile_seconds: int = Field(default=300, ge=0, le=86400)
    starts_a_minute: int = Field(default=30, ge=3, le=1000)
    change_keys: tuple[SecretStr, ...] = ()
    changes_seconds: int = Field(default=0, ge=0, le=86400)
    claimed_seconds: int = Field(default=180, ge=20, le=3600)


class Config(BaseSettings):
    """All of it. `COUNTERMAND_CONFIG` names a YAML file; `COUNTERMAND_…` variables override it (`__` between parts).

    Attributes:
        home: the folder for state: ledger, evidence, baselines, roster and reports, unless they are kept elsewhere.
        ledger_url: the ledger's database, as `postgresql://…`; empty means a SQLite file under `home`.
        policy_file: who may decide, what is protected, how far a plan may reach: `deployments/policy.example.yaml`.
        escalation_file: who is told and when; empty means nobody is: `deployments/escalation.example.yaml`.
        prefect_ui_url: under which address people reach Prefect's page.
        webhooks: receivers that escalation calls, each under a name of your own.
    """

    model_config = SettingsConfigDict(env_prefix="COUNTERMAND_", env_nested_delimiter="__", extra="forbid")

    home: Path = Path("~/.countermand")
    ledger_url: str = ""
    policy_file: Path | None = None
    escalation_file: Path | None = None
    prefect_ui_url: str = "http://127.0.0.1:4200"
    aws: AwsConfig = AwsConfig()
    slack: SlackConfig = SlackConfig()
    email: EmailConfig = EmailConfig()
    webhooks: dict[str, WebhookConfig] = Field(default_factory=dict[str, WebhookConfig])
    gateway: GatewayConfig = GatewayConfig()
    evidence_store: EvidenceStoreConfig = EvidenceStoreConfig()
    snapshots: SnapshotsConfig = SnapshotsConfig()
    flow_logs: FlowLogsConfig = FlowLogsConfig()
    prepare: Preparation = Preparation()
    serve: ServeConfig = ServeConfig()
    sweep: SweepConfig = SweepConfig()
    log: LogConfig = LogConfig()
    traces: TracesConfig = TracesConfig()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = os.environ.get("COUNTERMAND_CONFIG")
        yaml_source = (YamlConfigSettingsSource(settings_cls, yaml_file=file),) if file else ()
        return (init_settings, env_settings, *yaml_source)

    @property
    def folder(self) -> Path:
        return self.home.expanduser()

    @property
    def ledger(self) -> str:
        return self.ledger_url or f"sqlite:///{self.folder / 'ledger.db'}"

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence"

    @property
    def reports(self) -> Path:
        return self.folder / "reports"


def load_config() -> Config:
    """Read the configuration.

    Raises:
        ConfigError: a file that is missing or malformed, or a value that cannot be used.
    """
    file = os.environ.get("COUNTERMAND_CONFIG")
    if file and not Path(file).is_file():
        raise ConfigError(f"COUNTERMAND_CONFIG names {file}, which is not a file; correct the variable or create the file")
    try:
        config = Config()
    except ValidationError as error:
        raise ConfigError(f"configuration: {first_problem(error)}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: {' '.join(str(error).split())}") from None
    config.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return config


def load_policy(config: Config) -> Policy:
    """Read the policy file; without one, nobody is a responder and nothing can be approved.

    Raises:
        ConfigError: the file is missing or malformed.
    """
    if config.policy_file is None:
        return Policy()
    try:
        return Policy.model_validate(yaml.safe_load(config.policy_file.read_text()) or {})
    except OSError as error:
        raise ConfigError(f"policy file {config.policy_file}: {error.strerror}; correct policy_file") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"policy file {config.policy_file}: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise ConfigError(f"policy file {config.policy_file}: {first_problem(error)}") from None


def first_problem(error: ValidationError) -> str:
    """The first thing that pydantic found wrong, in one line without the value (it may be a secret)."""
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"]) or "the file"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"
