"""The CloudFormation template of the Athena integration: workgroup, database, partitioned table, its loader, and the named queries.

See https://docs.aws.amazon.com/athena/latest/ug/vpc-flow-logs.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from incident.flow_log_format import FIELDS, column
from tasks.flow_logs.questions import FlowQuery, flow_queries

Json = dict[str, Any]

FORMAT = tuple(name for name, field in FIELDS.items() if field.version <= 5)
"""The format that every named query can be asked of; give it to the flow log when it is made."""

TABLE = "flow_logs"
_LOADER = Path(__file__).with_name("load_partitions.py")
_HIVE = "org.apache.hadoop.hive"
_IO = f"{_HIVE}.ql.io"
_WIDE = frozenset({"packets", "bytes", "start", "end"})
"""What Parquet keeps in 64 bits; its other numbers have 32."""


def template(fields: Sequence[str] = FORMAT) -> Json:
    """The whole template, for flow logs of a format."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "VPC flow logs of this account and region in Athena: a workgroup, a table partitioned by day, week or month "
        "whose partitions are loaded by themselves, and Countermand's named queries.",
        "Parameters": _PARAMETERS,
        "Conditions": {
            "Hive": {"Fn::Equals": [{"Ref": "Layout"}, "hive"]},
            "Parquet": {"Fn::Equals": [{"Ref": "FileFormat"}, "parquet"]},
        },
        "Resources": {
            **_results(),
            "Workgroup": _WORKGROUP,
            "Database": _DATABASE,
            "Table": _table(fields),
            **_loader(),
            **{_logical(query): _named(query) for query in flow_queries().values()},
        },
        "Outputs": {
            "WorkgroupName": {"Description": "flow_logs.workgroup of Countermand's configuration.", "Value": {"Ref": "Workgroup"}},
            "DatabaseName": {"Description": "flow_logs.database of Countermand's configuration.", "Value": {"Ref": "Database"}},
            "ResultsBucket": {"Description": "FlowLogResults of the responder's role.", "Value": {"Ref": "Results"}},
            "LogFormat": {
                "Description": "The format that the flow log must have.",
                "Value": " ".join(f"${{{name}}}" for name in fields),
            },
        },
    }


_PARAMETERS: Json = {
    "FlowLogBucket": {
        "Type": "String",
        "Description": "The bucket to which the flow logs are delivered.",
        "AllowedPattern": "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    },
    "FlowLogPrefix": {
        "Type": "String",
        "Default": "",
        "Description": "The flow log's subfolder of the bucket with a slash at its end, if it has one.",
        "AllowedPattern": "([^/].*/)?",
    },
    "Layout": {
        "Type": "String",
        "Default": "plain",
        "AllowedValues": ["plain", "hive"],
        "Description": "Whether the flow log has Hive-compatible prefixes.",
    },
    "FileFormat": {
        "Type": "String",
        "Default": "text",
        "AllowedValues": ["text", "parquet"],
        "Description": "The format of the flow log's files.",
    },
    "Period": {
        "Type": "String",
        "Default": "day",
        "AllowedValues": ["day", "week", "month"],
        "Description": "What a partition's first_day is the first day of.",
    },
    "FirstDay": {
        "Type": "String",
        "Description": "From which day on partitions are loaded, such as 2026-11-01.",
        "AllowedPattern": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    },
    "MostBytesScanned": {
        "Type": "Number",
        "Default": 1099511627776,
        "MinValue": 10000000,
        "Description": "Bytes after which Athena ends a query.",
    },
    "ResultDays": {"Type": "Number", "Default": 30, "MinValue": 1, "Description": "After how many days results are deleted."},
}


def _results() -> Json:
    bucket = {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            "PublicAccessBlockConfiguration": dict.fromkeys(
                ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
            ),
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "results",
                        "Status": "Enabled",
                        "ExpirationInDays": {"Ref": "ResultDays"},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    }
                ]
            },
        },
    }
    arns = [{"Fn::GetAtt": ["Results", "Arn"]}, {"Fn::Sub": "${Results.Arn}/*"}]
    plain_http = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": arns,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Bucket": {"Ref": "Results"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [plain_http]}}
    return {"Results": bucket, "ResultsPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": policy}}


_WORKGROUP: Json = {
    "Type": "AWS::Athena::WorkGroup",
    "Properties": {
        "Name": {"Fn::Sub": "${AWS::StackName}-flow-logs"},
        "Description": "Questions to VPC flow logs",
        "WorkGroupConfiguration": {
            "EnforceWorkGroupConfiguration": True,
            "PublishCloudWatchMetricsEnabled": True,
            "BytesScannedCutoffPerQuery": {"Ref": "MostBytesScanned"},
            "EngineVersion": {"SelectedEngineVersion": "Athena engine version 3"},
            "ResultConfiguration": {
                "OutputLocation": {"Fn::Sub": "s3://${Results}/"},
                "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
            },
        },
    },
}
_DATABASE: Json = {
    "Type": "AWS::Glue::Database",
    "Properties": {
        "CatalogId": {"Ref": "AWS::AccountId"},
        "DatabaseInput": {"Name": "countermand_flow_logs", "Description": "VPC flow logs"},
    },
}


def _table(fields: Sequence[str]) -> Json:
    here = "s3://${FlowLogBucket}/${FlowLogPrefix}AWSLogs/"
    plain = here + "${AWS::AccountId}/vpcflowlogs/${AWS::Region}/"
    hive = here + "aws-account-id=${AWS::AccountId}/aws-service=vpcflowlogs/aws-region=${AWS::Region}/"
    text_serde = {
        "SerializationLibrary": f"{_HIVE}.serde2.lazy.LazySimpleSerDe",
        "Parameters": {"field.delim": " ", "serialization.format": " ", "serialization.null.format": "-"},
    }
    parquet_serde = {"SerializationLibrary": f"{_IO}.parquet.serde.ParquetHiveSerDe"}
    text_in, text_out = "org.apache.hadoop.mapred.TextInputFormat", f"{_IO}.HiveIgnoreKeyTextOutputFormat"
    stored = {
        "Location": {"Fn::If": ["Hive", {"Fn::Sub": hive}, {"Fn::Sub": plain}]},
        "Columns": {"Fn::If": ["Parquet", _columns(fields, "int"), _columns(fields, "bigint")]},
        "InputFormat": {"Fn::If": ["Parquet", f"{_IO}.parquet.MapredParquetInputFormat", text_in]},
        "OutputFormat": {"Fn::If": ["Parquet", f"{_IO}.parquet.MapredParquetOutputFormat", text_out]},
        "SerdeInfo": {"Fn::If": ["Parquet", parquet_serde, text_serde]},
    }
    header = {"skip.header.line.count": "1", "EXTERNAL": "TRUE"}
    told = {
        "Name": TABLE,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"Fn::If": ["Parquet", {"EXTERNAL": "TRUE"}, header]},
        "PartitionKeys": [{"Name": "first_day", "Type": "string"}, {"Name": "folder", "Type": "string"}],
        "StorageDescriptor": stored,
    }
    properties = {"CatalogId": {"Ref": "AWS::AccountId"}, "DatabaseName": {"Ref": "Database"}, "TableInput": told}
    return {"Type": "AWS::Glue::Table", "Properties": properties}


def _columns(fields: Sequence[str], number: str) -> list[Json]:
    def kind(name: str) -> str:
        if not FIELDS[name].is_number:
            return "string"
        return "bigint" if name in _WIDE else number

    return [{"Name": column(name), "Type": kind(name)} for name in fields]


def _loader() -> Json:
    name = {"Fn::Sub": "${AWS::StackName}-flow-log-partitions"}
    glue = "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:"
    catalog = [{"Fn::Sub": glue + end} for end in ("catalog", "database/${Database}", "table/${Database}/${Table}")]
    statements = [
        {"Effect": "Allow", "Action": ["glue:BatchCreatePartition", "glue:GetTable"], "Resource": catalog},
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": ["LoaderLogs", "Arn"]},
        },
    ]
    environment = {
        "DATABASE": {"Ref": "Database"},
        "TABLE": {"Ref": "Table"},
        "PERIOD": {"Ref": "Period"},
        "LAYOUT": {"Ref": "Layout"},
        "FIRST_DAY": {"Ref": "FirstDay"},
    }
    function = {
        "FunctionName": name,
        "Description": "Adds the partitions of the flow logs' table",
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Timeout": 120,
        "Role": {"Fn::GetAtt": ["LoaderRole", "Arn"]},
        "Environment": {"Variables": environment},
        "Code": {"ZipFile": _LOADER.read_text()},
    }
    return {
        "LoaderLogs": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {"LogGroupName": {"Fn::Sub": "/aws/lambda/${AWS::StackName}-flow-log-partitions"}, "RetentionInDays": 30},
        },
        "LoaderRole": _role("lambda.amazonaws.com", statements),
        "Loader": {"Type": "AWS::Lambda::Function", "DependsOn": "LoaderLogs", "Properties": function},
        "Schedule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Description": "Loads the partitions of flow logs",
                "ScheduleExpression": "rate(1 hour)",
                "Targets": [{"Id": "loader", "Arn": {"Fn::GetAtt": ["Loader", "Arn"]}}],
            },
        },
        "MayLoad": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Loader"},
                "Principal": "events.amazonaws.com",
                "SourceArn": {"Fn::GetAtt": ["Schedule", "Arn"]},
            },
        },
    }


def _role(service: str, statements: list[Json]) -> Json:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [{"PolicyName": "load", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}],
        },
    }


def _named(query: FlowQuery) -> Json:
    sql, parameters = query.athena_text(TABLE, by_day=True)
    about = f"{query.title}. Parameters in order: {', '.join(parameters)} (times are seconds since 1970, UTC)"
    return {
        "Type": "AWS::Athena::NamedQuery",
        "Properties": {
            "Name": query.name,
            "Description": about,
            "Database": {"Ref": "Database"},
            "WorkGroup": {"Ref": "Workgroup"},
            "QueryString": sql,
        },
    }


def _logical(query: FlowQuery) -> str:
    return "Query" + "".join(word.title() for word in query.name.split("-"))
