"""Judges exchanges with a Google API by Google's own discovery documents.

    judge.py EXCHANGES       one JSON object a line, as the simulator's library gives them
    judge.py --serve         the same for many files: each line of the input is {"id": 1, "ask": "EXCHANGES"}

Checked: that the path and method are those of the named call, that every query parameter is known, of its type and
repeated only where it may be, the request's and the answer's body against their schemas with no other field, the scopes
of the caller where the call succeeded, and the form of every error. The token endpoint of RFC 7523 has no discovery
document; its form is checked by that document's section 2.1. Each violation is one line. The exit status is 1 where
there is one, 2 where nothing was judged.
"""

import json
import pathlib
import re
import sys

import googleapiclient.discovery_cache
from jsonschema import Draft202012Validator

DOCUMENTS = pathlib.Path(googleapiclient.discovery_cache.__file__).parent / "documents"
# Canonical codes of google.rpc.Code with their HTTP statuses.
CODES = {
    "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404, "ABORTED": 409, "ALREADY_EXISTS": 409, "RESOURCE_EXHAUSTED": 429, "CANCELLED": 499, "INTERNAL": 500,
    "UNKNOWN": 500, "DATA_LOSS": 500, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504,
}
ERROR = {
    "type": "object", "required": ["error"], "additionalProperties": False,
    "properties": {"error": {
        "type": "object", "required": ["code", "message", "status"], "additionalProperties": False,
        "properties": {
            "code": {"type": "integer"}, "message": {"type": "string", "minLength": 1}, "status": {"enum": sorted(CODES)},
            "errors": {"type": "array", "items": {"type": "object"}},
            "details": {"type": "array", "items": {"oneOf": [
                {"type": "object", "required": ["@type", "reason", "domain"], "additionalProperties": False, "properties": {
                    "@type": {"const": "type.googleapis.com/google.rpc.ErrorInfo"},
                    "reason": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]+$"}, "domain": {"type": "string"},
                    "metadata": {"type": "object", "additionalProperties": {"type": "string"}}}},
                {"type": "object", "required": ["@type", "retryDelay"], "additionalProperties": False, "properties": {
                    "@type": {"const": "type.googleapis.com/google.rpc.RetryInfo"},
                    "retryDelay": {"type": "string", "pattern": r"^\d+(\.\d{1,9})?s$"}}},
            ]}},
        }}},
}
# RFC 6749, section 5.2.
OAUTH_ERROR = {
    "type": "object", "required": ["error"], "additionalProperties": False,
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}, "error_uri": {"type": "string"}},
}
STRING = {"type": "string", "minLength": 1}
ASSERTION = {
    "type": "object", "required": ["grant_type", "assertion"], "additionalProperties": False,
    "properties": {"grant_type": {"const": "urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": STRING},
}
# RFC 6749, section 5.1.
TOKEN = {
    "type": "object", "required": ["access_token", "token_type"], "additionalProperties": False,
    "properties": {
        "access_token": STRING, "token_type": {"const": "Bearer"}, "expires_in": {"type": "integer"}, "scope": {"type": "string"},
    },
}


def schema(node):
    """A schema of a discovery document as JSON Schema that allows no other field."""
    if "$ref" in node:
        return {"$ref": "#/$defs/" + node["$ref"]}
    kind = node.get("type")
    if kind == "object" or "properties" in node:
        result = {"type": "object", "properties": {key: schema(value) for key, value in node.get("properties", {}).items()}}
        more = node.get("additionalProperties")
        result["additionalProperties"] = schema(more) if more else False
        return result
    if kind == "array":
        return {"type": "array", "items": schema(node["items"])}
    if kind == "any" or kind is None:
        return {}
    result = {"type": kind}
    if "enum" in node:
        result["enum"] = node["enum"]
    if node.get("format") == "google-datetime":
        result["pattern"] = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$"
    if node.get("format") == "google-duration":
        result["pattern"] = r"^-?\d+(\.\d{1,9})?s$"
    return result


class Document:
    """One API's document."""

    def __init__(self, name):
        self.content = json.loads((DOCUMENTS / f"{name}.json").read_text())
        self.definitions = {key: schema(value) for key, value in self.content["schemas"].items()}
        self.methods = {method["id"]: method for method in self.walk(self.content)}
        self.validators = {}

    def walk(self, node):
        yield from node.get("methods", {}).values()
        for child in node.get("resources", {}).values():
            yield from self.walk(child)

    def faults(self, reference, value):
        if reference not in self.validators:
            self.validators[reference] = Draft202012Validator({"$ref": "#/$defs/" + reference, "$defs": self.definitions})
        for error in self.validators[reference].iter_errors(value):
            yield "/".join(map(str, error.absolute_path)) + ": " + error.message[:200]


def plain(form, value):
    for error in Draft202012Validator(form).iter_errors(value):
        yield "/".join(map(str, error.absolute_path)) + ": " + error.message[:200]


# Versions of the documents by the first word of a call; where that is not the document's own name, with it.
VERSIONS = {
    "cloudasset": "v1", "iamcredentials": "v1", "iam": "v1", "sts": "v1", "compute": "v1", "storage": "v1", "container": "v1", "cloudkms": "v1",
    "run": "v2", "cloudfunctions": "v2", "sql": "v1", "spanner": "v1", "alloydb": "v1", "bigtableadmin": "v2", "redis": "v1", "firestore": "v1",
    "secretmanager": "v1", "logging": "v2", "backupdr": "v1", "policyanalyzer": "v1",
}
NAMES = {"sql": "sqladmin"}


def document_of(call, path):
    service = call.split(".")[0]
    version = path.split("/")[1] if service == "cloudresourcemanager" else VERSIONS.get(service)
    return f"{NAMES.get(service, service)}.{version}" if version else None


def parameters(method, query):
    known = method.get("parameters", {})
    # The parameters of every Google API.
    common = {"alt", "prettyPrint", "fields", "key", "quotaUser"}
    for name, values in query.items():
        if name in common:
            continue
        form = known.get(name)
        if form is None or form.get("location") != "query":
            yield f"query parameter {name} is not known"
            continue
        if len(values) > 1 and not form.get("repeated"):
            yield f"query parameter {name} may not repeat"
        for value in values:
            if form.get("type") == "integer" and not re.fullmatch(r"-?\d+", value):
                yield f"query parameter {name} is no integer: {value}"
            if form.get("type") == "boolean" and value not in ("true", "false"):
                yield f"query parameter {name} is no boolean: {value}"
            if "enum" in form and value not in form["enum"]:
                yield f"query parameter {name} is none of its values: {value}"


def path_fault(method, path, prefix):
    """Whether the path is the method's: by its template, with the pattern of each parameter."""
    template = re.escape(prefix + method["path"]).replace(r"\{", "{").replace(r"\}", "}").replace(r"\+", "+")
    expression, used = template, method.get("parameters", {})
    for name in re.findall(r"\{\+?([A-Za-z0-9_.]+)\}", template.replace("\\", "")):
        pattern = used[name].get("pattern", "^[^/]+$").strip("^$")
        expression = re.sub(r"\{\+?" + re.escape(name) + r"\}", lambda _: f"(?:{pattern})", expression)
    return None if re.fullmatch("/" + expression, path) else f"the path {path} is not {prefix}{method['path']}"


def error_faults(exchange):
    body, status = exchange["response"], exchange["status"]
    token_call = exchange["call"] in ("oauth2.token", "sts.token")
    if token_call and isinstance(body, dict) and isinstance(body.get("error"), str):
        yield from plain(OAUTH_ERROR, body)
        return
    faults = list(plain(ERROR, body))
    yield from faults
    if not faults and (body["error"]["code"] != status or CODES[body["error"]["status"]] != status):
        yield f"HTTP status {status} with code {body['error']['code']} and {body['error']['status']}"


def judge(exchange, documents):
    """The violations of one exchange."""
    call, path, status = exchange["call"], exchange["path"], exchange["status"]
    if exchange.get("garbled"):
        # Made by a test on purpose: not an answer of the API.
        return
    if status >= 400:
        yield from error_faults(exchange)
    if call == "oauth2.token":
        yield from plain(ASSERTION, exchange["request"])
        if status == 200:
            yield from plain(TOKEN, exchange["response"])
        return
    name = document_of(call, path)
    if name is None:
        yield f"no call of Google's has this method and path: {exchange['method']} {path}"
        return
    if name not in documents:
        documents[name] = Document(name)
    document = documents[name]
    method = document.methods.get(call)
    if method is None:
        yield f"{name} has no method {call}"
        return
    if method["httpMethod"] != exchange["method"]:
        yield f"the method is {method['httpMethod']}"
    fault = path_fault(method, path, document.content.get("servicePath", ""))
    if fault:
        yield fault
    yield from parameters(method, exchange["query"])
    if "request" in method:
        yield from document.faults(method["request"]["$ref"], exchange["request"] if exchange["request"] is not None else {})
    elif exchange["request"] not in (None, {}):
        yield "the call takes no body"
    if status == 200:
        yield from document.faults(method["response"]["$ref"], exchange["response"])
        scopes = method.get("scopes")
        if scopes and not set(scopes) & set(exchange["scopes"] or []):
            yield f"the caller's scopes {exchange['scopes']} do not suffice"


def verdict(path, documents):
    """What is said of a file of exchanges, and the exit status that it deserves."""
    exchanges = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines() if line]
    lines = []
    for number, exchange in enumerate(exchanges, 1):
        for fault in judge(exchange, documents):
            lines.append(f"exchange {number} {exchange['call'] or exchange['path']}: {fault}")
    violations = len(lines)
    lines.append(f"{len(exchanges)} exchanges, {violations} violations")
    return {"said": "\n".join(lines), "status": 2 if not exchanges else 1 if violations else 0}


def serve():
    """Answers until the end of the input: the documents are loaded once."""
    documents = {}
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {"value": verdict(question["ask"], documents)}
        except Exception as error:  # Whatever it is, who asked must hear of it.
            answer = {"error": f"the judge failed: {error!r}"}
        print(json.dumps({"id": question["id"], **answer}), flush=True)


def main():
    if sys.argv[1] == "--serve":
        return serve()
    found = verdict(sys.argv[1], {})
    print(found["said"])
    sys.exit(found["status"])


if __name__ == "__main__":
    main()
