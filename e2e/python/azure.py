"""Asks the ARM simulator with Microsoft's own Python clients, at the versions that it serves. Prints one JSON document.

Usage: azure.py URL CA TENANT CLIENT_ID SECRET SUBSCRIPTION
"""

import json
import ssl
import sys
import time
import urllib.parse
import urllib.request

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.managedservices import ManagedServicesClient
from azure.mgmt.resource import ResourceManagementClient, SubscriptionClient
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

URL, CA, TENANT, CLIENT_ID, SECRET, SUBSCRIPTION = sys.argv[1:]
AUDIENCE = "https://management.azure.com"


class Credential:
    """A token of the simulator's own endpoint."""

    def __init__(self):
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET, "scope": AUDIENCE + "/.default"}
        request = urllib.request.Request(f"{URL}/{TENANT}/oauth2/v2.0/token", urllib.parse.urlencode(form).encode())
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=CA)) as response:
            self.answer = json.load(response)

    def get_token(self, *scopes, **_):
        return AccessToken(self.answer["access_token"], int(time.time()) + self.answer["expires_in"])


def main():
    credential = Credential()
    options = {"base_url": URL, "credential_scopes": [AUDIENCE + "/.default"], "connection_verify": CA, "retry_total": 0}
    subscriptions = SubscriptionClient(credential, api_version="2021-01-01", **options)
    one = subscriptions.subscriptions.get(SUBSCRIPTION)
    groups = ResourceManagementClient(credential, SUBSCRIPTION, api_version="2021-04-01", **options).resource_groups
    names = [group.name for group in groups.list()]
    authorization = AuthorizationManagementClient(credential, SUBSCRIPTION, api_version="2015-07-01", **options)
    actions = [action for entry in authorization.permissions.list_for_resource_group(names[0]) for action in entry.actions]
    lighthouse = ManagedServicesClient(credential, api_version="2019-09-01", **options)
    scope = f"subscriptions/{SUBSCRIPTION}"
    assignments = list(lighthouse.registration_assignments.list(scope, expand_registration_definition=True))
    graph = ResourceGraphClient(credential, **options)
    rows, token, pages = [], None, 0
    while True:
        query = "resources | project id, name | order by id asc"
        request = QueryRequest(query=query, subscriptions=[SUBSCRIPTION], options=QueryRequestOptions(top=1000, skip_token=token))
        page = graph.resources(request)
        rows.extend(row["id"] for row in page.data)
        pages, token = pages + 1, page.skip_token
        if not token:
            break
    try:
        subscriptions.subscriptions.get("00000000-0000-4000-8000-000000000000")
        refusal = None
    except HttpResponseError as error:
        refusal = error.error.code
    document = {
        "subscriptions": [found.subscription_id for found in subscriptions.subscriptions.list()],
        "home": one.tenant_id,
        "managers": [manager.tenant_id for manager in one.managed_by_tenants],
        "groups": names,
        "actions": actions,
        "delegatedBy": [each.properties.registration_definition.properties.managed_by_tenant_id for each in assignments],
        "rows": len(set(rows)),
        "pages": pages,
        "refusal": refusal,
    }
    print(json.dumps(document))


main()
