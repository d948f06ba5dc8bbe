"""AWS's own client against the shim.

    second_client.py URL REGION WHAT KEY SECRET
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

url, region, what, key, secret = sys.argv[1:]


def client(service):
    config = Config(retries={"max_attempts": 0})
    return boto3.client(service, region_name=region, endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, config=config)


def machines():
    ids, pages = set(), []
    for page in client("ec2").get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 500}):
        found = [machine["InstanceId"] for reservation in page["Reservations"] for machine in reservation["Instances"]]
        ids.update(found)
        pages.append(len(found))
    return {"ids": len(ids), "pages": pages}


def regions():
    pages = client("account").get_paginator("list_regions").paginate()
    return {"pages": [len(page["Regions"]) for page in pages]}


def bad_token():
    return client("ec2").describe_instances(MaxResults=5, NextToken="made-up")


def patches():
    asked = ["i-00000000000000001", "i-00000000000000002"]
    rows = client("ssm").describe_instance_patch_states(InstanceIds=asked)["InstancePatchStates"]
    return {row["InstanceId"]: row["MissingCount"] for row in rows}


def others():
    explorer = client("resource-explorer-2")
    indexes = explorer.list_indexes()["Indexes"]
    state = explorer.get_index()["State"]
    view = explorer.get_view(ViewArn=explorer.get_default_view()["ViewArn"])["View"]
    pages = list(explorer.get_paginator("list_resources").paginate(ViewArn=view["ViewArn"], PaginationConfig={"PageSize": 500}))
    rows = [row for page in pages for row in page["Resources"]]
    return {
        "indexes": [[index["Region"], index["Type"]] for index in indexes],
        "state": state,
        "filter": view["Filters"]["FilterString"],
        "pages": [len(page["Resources"]) for page in pages],
        "tags": [{tag["Key"]: tag["Value"] for tag in row["Properties"][0]["Data"]} for row in rows],
    }


def no_index():
    return client("resource-explorer-2").get_index()


try:
    found = {"machines": machines, "machines-once": machines, "regions": regions, "bad-token": bad_token, "patches": patches, "patches-once": patches, "others": others, "no-index": no_index}[what]()
except ClientError as error:
    found = {"code": error.response["Error"]["Code"]}
print(json.dumps(found))
