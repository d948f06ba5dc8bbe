"""Google's own client against the simulator: every call that Caretaker makes with a token of the client's, in Google's own words.

    second_client.py URL TOKEN QUOTA_PROJECT PROJECT SERVICE_ACCOUNT

Prints what it read as JSON.
"""

import datetime
import json
import pathlib
import sys

import googleapiclient.discovery_cache
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document

DOCUMENTS = pathlib.Path(googleapiclient.discovery_cache.__file__).parent / "documents"


def client(name, url, credentials):
    document = (DOCUMENTS / f"{name}.json").read_text()
    return build_from_document(document, credentials=credentials, client_options={"api_endpoint": url + "/"})


def main():
    url, token, quota_project, project, account = sys.argv[1:]
    base = Credentials(token=token)
    name = f"projects/-/serviceAccounts/{account}"
    tokens = client("iamcredentials.v1", url, base).projects().serviceAccounts()
    scope = ["https://www.googleapis.com/auth/cloud-platform"]
    generated = tokens.generateAccessToken(name=name, body={"scope": scope, "lifetime": "600s"}).execute()
    theirs = Credentials(token=generated["accessToken"]).with_quota_project(quota_project)

    manager = client("cloudresourcemanager.v3", url, theirs).projects()
    shown = manager.get(name=f"projects/{project}").execute()
    asked = ["resourcemanager.projects.get", "resourcemanager.projects.delete"]
    held = manager.testIamPermissions(resource=f"projects/{project}", body={"permissions": asked}).execute()

    accounts = client("iam.v1", url, theirs).projects().serviceAccounts()
    policy = accounts.getIamPolicy(resource=name, options_requestedPolicyVersion=3).execute()
    written = accounts.setIamPolicy(resource=name, body={"policy": policy}).execute()

    search = client("cloudasset.v1", url, theirs).v1()
    since = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found, pages, page = [], 0, None
    # Not with searchAllResources_next: it cannot repeat a parameter.
    while pages == 0 or page:
        answer = search.searchAllResources(
            scope=f"projects/{project}", pageSize=500, pageToken=page, readMask="name,assetType",
            assetTypes=[r"compute\.googleapis\.com/.*", r"storage\.googleapis\.com/.*"]).execute()
        found += [row["name"] for row in answer.get("results", [])]
        pages, page = pages + 1, answer.get("nextPageToken")
    record = search.batchGetAssetsHistory(
        parent=f"projects/{project}", contentType="RESOURCE", assetNames=[found[0]], readTimeWindow_startTime=since,
        fields="assets(window,deleted,asset(name))").execute()
    key = f"//iam.googleapis.com/projects/{project}/serviceAccounts/{account}/keys/key-7"
    kinds = client("policyanalyzer.v1", url, theirs).projects().locations().activityTypes()
    uses = kinds.activities().query(
        parent=f"projects/{project}/locations/global/activityTypes/serviceAccountKeyLastAuthentication",
        filter=f'activities.full_resource_name="{key}"').execute()
    databases = client("spanner.v1", url + "/at/spanner", theirs).projects().instances()
    server = databases.get(name=f"projects/{project}/instances/orders").execute()
    print(json.dumps({
        "record": [entry.get("deleted", False) for entry in record["assets"]], "server": server["name"],
        "used": [activity["activity"]["lastAuthenticatedTime"] for activity in uses["activities"]],
        "project": shown["projectId"], "held": held.get("permissions", []), "assets": len(set(found)), "pages": pages,
        "etagChanged": policy["etag"] != written["etag"], "bindings": len(written["bindings"]),
    }))


if __name__ == "__main__":
    main()
