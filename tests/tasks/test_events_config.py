"""Where events are read is one setting; what does not go together is said in one line with what to do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tasks.cloudtrail import EventHistory
from tasks.config import Config, ConfigError, load_config
from tasks.hands import wire
from tasks.trail_files import TrailFiles
from tasks.trail_lake import TrailLake

STORE = "0a1b2c3d-f852-4e8f-8bd1-bcf6c0123456"
ARN = f"arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/{STORE}"


def configured(monkeypatch, tmp_path, text: str) -> Config:
    file = tmp_path / "countermand.yaml"
    file.write_text(f"home: {tmp_path}\naws:\n  events: {text}\n")
    monkeypatch.setenv("COUNTERMAND_CONFIG", str(file))
    return load_config()


@pytest.mark.parametrize(
    ("text", "kind", "days"),
    [
        ("{}", EventHistory, 90),
        ("{source: lookup}", EventHistory, 90),
        ("{source: trail-files, bucket: example-trail}", TrailFiles, 365),
        ("{source: trail-files, bucket: b.b, prefix: a/b, organization: o-abcdefghij, days: 30}", TrailFiles, 30),
        (f"{{source: lake, event_data_store: {STORE}}}", TrailLake, 365),
        (f'{{source: lake, event_data_store: "{ARN}", days: 3653}}', TrailLake, 3653),
    ],
)
def test_the_source_is_wired_and_says_how_far_back_it_reaches(monkeypatch, tmp_path, text, kind, days):
    history = wire(configured(monkeypatch, tmp_path, text)).history
    assert type(history) is kind
    assert history.reach == timedelta(days=days)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{source: trail-files}", "source trail-files needs bucket; add it, or set source to lookup"),
        ("{source: lake}", "source lake needs event_data_store; add it, or set source to lookup"),
        ("{bucket: example-trail}", "bucket goes with source trail-files, not lookup; set source to trail-files, or remove it"),
        (f"{{source: lake, event_data_store: {STORE}, prefix: a}}", "prefix goes with source trail-files, not lake"),
        ("{source: trail-files, bucket: b-b, event_data_store: " + STORE + "}", "event_data_store goes with source lake"),
        ("{source: athena}", "'lookup', 'trail-files' or 'lake'"),
        ("{source: trail-files, bucket: s3://b-b}", "aws.events.bucket"),
        ("{source: trail-files, bucket: b-b, prefix: /a/}", "aws.events.prefix"),
        ("{source: trail-files, bucket: b-b, organization: abc}", "aws.events.organization"),
        ("{source: trail-files, bucket: b-b, account: '12'}", "aws.events.account"),
        ("{source: trail-files, bucket: b-b, days: 0}", "aws.events.days"),
        ("{source: lake, event_data_store: x; DROP}", "aws.events.event_data_store"),
    ],
)
def test_what_does_not_go_together_is_one_line(monkeypatch, tmp_path, text, message):
    with pytest.raises(ConfigError) as refused:
        configured(monkeypatch, tmp_path, text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
