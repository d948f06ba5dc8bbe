"""Seeds and probes the AWS emulator.

    cloud.py ENDPOINT COMMAND ARGUMENT...   prints one JSON document
    cloud.py ENDPOINT --serve               the same for many commands: each line of the input is {"id": 1, "ask": {"args": [...], "input": "..."}}

Root of an account is its 12 digits as access key with the secret `test`: only this script uses it, never the operator.
"""

import base64
import concurrent.futures
import functools
import io
import json
import sys
import threading
import time
import traceback
import zipfile

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = sys.argv[1]
REGION = "us-east-1"
# One session: it keeps the models of the services. Making a client is not safe in several threads, using one is.
SESSION = botocore.session.Session()
MAKING = threading.Lock()
# What a command is given beside its arguments, by thread.
GIVEN = threading.local()


def client(service, key, secret="test", token=None, region=REGION):
    with MAKING:
        return made_client(service, key, secret, token, region)


@functools.lru_cache(maxsize=64)
def made_client(service, key, secret, token, region):
    return SESSION.create_client(
        service,
        region_name=region,
        endpoint_url=ENDPOINT,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        # The emulator allows sessions of two seconds; the SDK would refuse to ask for one.
        config=Config(retries={"max_attempts": 1}, parameter_validation=False),
    )


def root(service, account, region=REGION):
    return client(service, account, region=region)


def provider(account, name):
    """An ordinary IAM user that may assume roles and nothing else."""
    iam = root("iam", account)
    iam.create_user(UserName=name)
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="assume", PolicyDocument=json.dumps(allow))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        "arn": f"arn:aws:iam::{account}:user/{name}",
        "accessKeyId": key["AccessKeyId"],
        "secretAccessKey": key["SecretAccessKey"],
    }


def own(value, account):
    """A template's value in an account, as CloudFormation fills it in."""
    if isinstance(value, dict):
        if set(value) == {"Fn::Sub"}:
            return value["Fn::Sub"].replace("${AWS::AccountId}", account)
        return {key: own(inner, account) for key, inner in value.items()}
    return [own(inner, account) for inner in value] if isinstance(value, list) else value


def apply_kit(account):
    """Does what CloudFormation would do with the kit's template (the input): makes its roles."""
    template = own(json.loads(GIVEN.text), account)
    iam = root("iam", account)
    made = []
    for resource in template["Resources"].values():
        assert resource["Type"] == "AWS::IAM::Role", resource["Type"]
        properties = resource["Properties"]
        name = properties["RoleName"]
        trust = json.dumps(properties["AssumeRolePolicyDocument"])
        try:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        except iam.exceptions.EntityAlreadyExistsException:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
        for policy in properties.get("Policies", []):
            iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=json.dumps(policy["PolicyDocument"]))
        for arn in properties.get("ManagedPolicyArns", []):
            try:
                iam.attach_role_policy(RoleName=name, PolicyArn=arn)
            except ClientError as error:
                # The emulator does not carry every policy of AWS; nothing here depends on them.
                if error.response["Error"]["Code"] != "NoSuchEntity":
                    raise
        made.append(name)
    return {"roles": made}


def organization(account, *names):
    """Accounts of the organization whose management account this is."""
    organizations, ids = root("organizations", account), []
    for name in names:
        status = organizations.create_account(Email=f"{name}@client.example", AccountName=name)["CreateAccountStatus"]
        ids.append(status["AccountId"])
    return {"accounts": ids}


def close_account(account, member):
    root("organizations", account).close_account(AccountId=member)
    return {}


def set_trust(account, role):
    root("iam", account).update_assume_role_policy(RoleName=role, PolicyDocument=GIVEN.text)
    return {}


def put_policy(account, role, name):
    root("iam", account).put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=GIVEN.text)
    return {}


def put_user_policy(account, user, name):
    root("iam", account).put_user_policy(UserName=user, PolicyName=name, PolicyDocument=GIVEN.text)
    return {}


def delete_role(account, role):
    iam = root("iam", account)
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=role)
    return {}


def instances(account, region, count, *names):
    """Machines, with names where any are given."""
    ec2 = root("ec2", account, region)
    ids = []
    left = int(count)
    if names:
        for name in names:
            tags = [{"Key": "Name", "Value": name}, {"Key": "backup", "Value": "daily"}]
            spec = [{"ResourceType": "instance", "Tags": tags}]
            answer = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, InstanceType="t3.micro", TagSpecifications=spec)
            ids.append(answer["Instances"][0]["InstanceId"])
        return {"ids": ids}
    while left > 0:
        batch = min(left, 500)
        answer = ec2.run_instances(ImageId="ami-12345678", MinCount=batch, MaxCount=batch, InstanceType="t3.micro")
        ids += [instance["InstanceId"] for instance in answer["Instances"]]
        left -= batch
    return {"ids": ids[:10], "count": len(ids)}


def tag(account, region, machine, key, value):
    """A tag on a machine."""
    root("ec2", account, region).create_tags(Resources=[machine], Tags=[{"Key": key, "Value": value}])
    return {}


def terminate(account, region, *ids):
    root("ec2", account, region).terminate_instances(InstanceIds=list(ids))
    return {}


def backup(account, region):
    """What AWS Backup holds."""
    backup = root("backup", account, region)
    plans = []
    for row in backup.list_backup_plans()["BackupPlansList"]:
        plan = backup.get_backup_plan(BackupPlanId=row["BackupPlanId"])["BackupPlan"]
        selections = backup.list_backup_selections(BackupPlanId=row["BackupPlanId"])["BackupSelectionsList"]
        plans.append({
            "id": row["BackupPlanId"],
            "name": plan["BackupPlanName"],
            "schedule": plan["Rules"][0].get("ScheduleExpression"),
            "days": plan["Rules"][0].get("Lifecycle", {}).get("DeleteAfterDays"),
            "selections": len(selections),
        })
    vaults = [vault["BackupVaultName"] for vault in backup.list_backup_vaults()["BackupVaultList"]]
    return {"plans": plans, "vaults": vaults}


def spoil_plan(account, region, plan_id):
    """Somebody changes the schedule."""
    backup = root("backup", account, region)
    plan = backup.get_backup_plan(BackupPlanId=plan_id)["BackupPlan"]
    rule = plan["Rules"][0]
    rules = [{
        "RuleName": rule["RuleName"],
        "TargetBackupVaultName": rule["TargetBackupVaultName"],
        "ScheduleExpression": "cron(0 12 * * ? *)",
        "Lifecycle": {"DeleteAfterDays": 1},
    }]
    backup.update_backup_plan(BackupPlanId=plan_id, BackupPlan={"BackupPlanName": plan["BackupPlanName"], "Rules": rules})
    return {}


def role(account, name):
    """What is left of a role."""
    iam = root("iam", account)
    try:
        found = iam.get_role(RoleName=name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        return {"exists": False}
    return {
        "exists": True,
        "trust": found["AssumeRolePolicyDocument"],
        "inline": iam.list_role_policies(RoleName=name)["PolicyNames"],
        "attached": [policy["PolicyArn"] for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]],
    }


def furnish(account, region):
    """One of each thing that is no machine, tagged where the cloud tags it."""
    tag = {"Key": "team", "Value": "shop"}
    root("rds", account, region).create_db_instance(
        DBInstanceIdentifier="orders", DBInstanceClass="db.t3.micro", Engine="postgres", AllocatedStorage=20,
        MasterUsername="admin1", MasterUserPassword="only-for-tests", Tags=[tag],
    )
    root("dynamodb", account, region).create_table(
        TableName="carts", BillingMode="PAY_PER_REQUEST", Tags=[tag],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    role = f"arn:aws:iam::{account}:role/service"
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": ["eks.amazonaws.com", "lambda.amazonaws.com"]}, "Action": "sts:AssumeRole",
    }]}
    root("iam", account).create_role(RoleName="service", AssumeRolePolicyDocument=json.dumps(trust))
    root("iam", account).create_user(UserName="deploy")
    root("eks", account, region).create_cluster(name="shop", roleArn=role, resourcesVpcConfig={"subnetIds": []})
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return 1\n")
    root("lambda", account, region).create_function(
        FunctionName="resize", Runtime="python3.12", Role=role, Handler="index.handler", Code={"ZipFile": code.getvalue()},
        Tags={"team": "shop"},
    )
    root("elbv2", account, region).create_load_balancer(Name="front", Subnets=["subnet-1"], Tags=[tag])
    kms = root("kms", account, region)
    key = kms.create_key(Description="orders", Tags=[{"TagKey": "team", "TagValue": "shop"}])["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key)
    near = root("s3", account, region)
    near.create_bucket(Bucket=f"backups-{account}", CreateBucketConfiguration={"LocationConstraint": region})
    near.put_bucket_tagging(Bucket=f"backups-{account}", Tagging={"TagSet": [tag]})
    root("s3", account).create_bucket(Bucket=f"trail-{account}")
    root("cloudtrail", account, region).create_trail(Name="audit", S3BucketName=f"trail-{account}", TagsList=[tag])
    return {"key": key}


def bucket(account, name):
    """A bucket, and an ordinary IAM user who may use it."""
    root("s3", account).create_bucket(Bucket=name)
    iam, user = root("iam", account), f"{name}-user"
    iam.create_user(UserName=user)
    allow = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
    }]}
    iam.put_user_policy(UserName=user, PolicyName="use", PolicyDocument=json.dumps(allow))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}


def objects(account, name):
    """Keys of a bucket."""
    return [found["Key"] for found in root("s3", account).list_objects_v2(Bucket=name).get("Contents", [])]


def content(account, name, key):
    """An object of a bucket, in base64."""
    return base64.b64encode(root("s3", account).get_object(Bucket=name, Key=key)["Body"].read()).decode()


def refused(call):
    """The error code of a call that must be refused; None where it was not."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def prove(account, home):
    """Proves that the emulator enforces: otherwise every test of access would pass for nothing."""
    user = provider(home, f"prover-{account}")
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"AWS": user["arn"]},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "right"}},
    }]}
    iam = root("iam", account)
    iam.create_role(RoleName="proof", AssumeRolePolicyDocument=json.dumps(trust))
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="proof", PolicyName="all", PolicyDocument=json.dumps(allow))
    sts = client("sts", user["accessKeyId"], user["secretAccessKey"])
    assume = {"RoleArn": f"arn:aws:iam::{account}:role/proof", "RoleSessionName": "proof"}

    def entered(**more):
        session = sts.assume_role(ExternalId="right", **assume, **more)["Credentials"]
        return client("ec2", session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])

    # The positive control has a session of its own: on a busy machine the short one ends before it is used.
    entered().describe_vpcs()
    ec2 = entered(DurationSeconds=2)
    wrong_secret = client("sts", user["accessKeyId"], "x" * 40)
    expired, began = None, time.monotonic()
    while expired is None and time.monotonic() - began < 10:
        time.sleep(0.2)
        expired = refused(ec2.describe_vpcs)
    found = {
        "a wrong ExternalId": refused(lambda: sts.assume_role(ExternalId="wrong", **assume)),
        "a missing ExternalId": refused(lambda: sts.assume_role(**assume)),
        "a wrong secret": refused(wrong_secret.get_caller_identity),
        "an expired session": expired,
    }
    iam.delete_role_policy(RoleName="proof", PolicyName="all")
    iam.delete_role(RoleName="proof")
    let_in = [name for name, code in found.items() if code is None]
    if let_in:
        sys.exit(f"the emulator does not enforce: it let in {', '.join(let_in)}; is AUTH=true set?")
    return found


COMMANDS = {
    name: globals()[name.replace("-", "_")]
    for name in [
        "provider", "apply-kit", "set-trust", "put-policy", "put-user-policy", "delete-role", "instances", "tag", "terminate", "backup", "spoil-plan", "role", "prove",
        "bucket", "objects", "content", "furnish", "organization", "close-account",
    ]
}


def command(args, text):
    GIVEN.text = text
    return COMMANDS[args[0]](*args[1:])


def answer(question):
    asked = question["ask"]
    try:
        said = {"value": command(asked["args"], asked["input"])}
    except BaseException:  # Whatever it is, who asked must hear of it.
        said = {"error": f"cloud.py {asked['args']} failed: {traceback.format_exc()}"}
    # One write for a line: several threads answer.
    sys.stdout.write(json.dumps({"id": question["id"], **said}) + "\n")
    sys.stdout.flush()


def main():
    if sys.argv[2] != "--serve":
        # A command of which the input is nothing may be started from a terminal.
        print(json.dumps(command(sys.argv[2:], "" if sys.stdin.isatty() else sys.stdin.read())))
        return
    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        for line in sys.stdin:
            pool.submit(answer, json.loads(line))


main()
