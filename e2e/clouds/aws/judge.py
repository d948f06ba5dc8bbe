"""Judges exchanges with AWS by botocore's models.

    judge.py EXCHANGES       one JSON object a line, as the shim keeps them
    judge.py --serve         the same for many files: each line of the input is {"id": 1, "ask": "EXCHANGES"}

Checked: that the call is an operation of the service; that every parameter of the request is one of the operation's, of its
type, and within its bounds; and the same of every answer of success. Each violation is one line. The exit status is 1 where
there is one, 2 where nothing was judged.
"""

import collections
import json
import pathlib
import re
import sys
import urllib.parse

import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.validate

# Services whose name in the signature is not botocore's.
NAMES = {"elasticloadbalancing": "elbv2", "tagging": "resourcegroupstaggingapi", "monitoring": "cloudwatch"}
LOADER = botocore.loaders.Loader()
MODELS = {}


def model(service):
    name = NAMES.get(service, service)
    if name not in MODELS:
        MODELS[name] = botocore.model.ServiceModel(LOADER.load_service_model(name, "service-2"), name)
    return MODELS[name]


class Unknown(Exception):
    """A parameter that the operation does not have."""


def scalar(shape, text):
    """A text as the type that the shape has; left as it is where it is none, for the validator to see."""
    try:
        if shape.type_name in ("integer", "long"):
            return int(text)
        if shape.type_name in ("float", "double"):
            return float(text)
    except ValueError:
        return text
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def from_form(shape, form, prefix, ec2):
    """A value of a form, taken out of it: what is left at the end is unknown."""
    if shape.type_name == "structure":
        found = {}
        for name, member in shape.members.items():
            key = member.serialization.get("queryName") if ec2 else None
            key = key or member.serialization.get("name", name)
            if ec2 and "queryName" not in member.serialization:
                key = key[0].upper() + key[1:]
            value = from_form(member, form, f"{prefix}.{key}" if prefix else key, ec2)
            if value is not None:
                found[name] = value
        return found if found or not prefix else None
    if shape.type_name == "list":
        if not ec2 and not shape.serialization.get("flattened"):
            prefix = f"{prefix}.{shape.member.serialization.get('name', 'member')}"
        elif not ec2 and "name" in shape.member.serialization:
            prefix = ".".join(prefix.split(".")[:-1] + [shape.member.serialization["name"]])
        found = []
        while True:
            value = from_form(shape.member, form, f"{prefix}.{len(found) + 1}", ec2)
            if value is None:
                return found or None
            found.append(value)
    if shape.type_name == "map":
        found, number = {}, 1
        while f"{prefix}.entry.{number}.key" in form:
            key = form.pop(f"{prefix}.entry.{number}.key")
            found[key] = from_form(shape.value, form, f"{prefix}.entry.{number}.value", ec2)
            number += 1
        return found or None
    return scalar(shape, form.pop(prefix)) if prefix in form else None


def by_form(service, exchange, ec2):
    form = dict(urllib.parse.parse_qsl(exchange["request"], keep_blank_values=True))
    operation = service.operation_model(form.pop("Action", ""))
    if form.pop("Version", None) != service.api_version:
        raise Unknown(f"the version is not {service.api_version}")
    value = from_form(operation.input_shape, form, "", ec2) if operation.input_shape else {}
    if form:
        raise Unknown(f"unknown parameters: {', '.join(sorted(form))}")
    return operation, value


def by_header(service, exchange):
    target = exchange["headers"].get("x-amz-target", "")
    prefix, _, name = target.rpartition(".")
    # The SDK for Rust leaves out the name space that some of botocore's prefixes begin with; the service takes both.
    if prefix not in (service.metadata["targetPrefix"], service.metadata["targetPrefix"].rpartition(".")[2]):
        raise Unknown(f"the target is {target}")
    return service.operation_model(name), json.loads(exchange["request"] or "{}")


def r_parameter(found):
    """A parameter of a path as a group; one that ends in a plus may hold slashes."""
    return f"(?P<{found.group(1)}>{'.+' if found.group(2) else '[^/]+'})"


def by_path(service, exchange):
    url = urllib.parse.urlsplit(exchange["url"])
    query = collections.defaultdict(list)
    for key, value in urllib.parse.parse_qsl(url.query, keep_blank_values=True):
        query[key].append(value)
    for name in service.operation_names:
        operation = service.operation_model(name)
        path, _, fixed = operation.http["requestUri"].partition("?")
        pattern = re.sub(r"\\\{(\w+)((?:\\\+)?)\\\}", r_parameter, re.escape(path.rstrip("/")))
        match = re.fullmatch(pattern, url.path.rstrip("/")) if operation.http["method"] == exchange["method"] else None
        wanted = dict(urllib.parse.parse_qsl(fixed, keep_blank_values=True))
        if match and all(query.get(key) == [value] for key, value in wanted.items()):
            return operation, parts(operation, match.groupdict(), query, set(wanted), exchange["request"])
    raise Unknown("no operation has this method and path")


def parts(operation, path, query, fixed, text):
    """The request's value, from path, query and body."""
    found, body = {}, {}
    shape = operation.input_shape
    members = shape.members if shape else {}
    payload = shape.serialization.get("payload") if shape else None
    # The name of the operation, which the SDK for Rust adds for S3.
    known = {"x-id"} | fixed
    for name, member in members.items():
        location, key = member.serialization.get("location"), member.serialization.get("name", name)
        if location == "uri":
            found[name] = scalar(member, urllib.parse.unquote(path[key]))
        elif location == "querystring":
            known.add(key)
            if key in query:
                inner = member.member if member.type_name == "list" else member
                values = [scalar(inner, value) for value in query[key]]
                found[name] = values if member.type_name == "list" else values[0]
        elif location in ("header", "headers"):
            continue
        elif name != payload:
            body[key] = name
    strange = set(query) - known
    if strange:
        raise Unknown(f"unknown parameters: {', '.join(sorted(strange))}")
    if body and text:
        for key, value in json.loads(text).items():
            if key not in body:
                raise Unknown(f"unknown parameter {key}")
            found[body[key]] = value
    return found


def validate(shape, value, what):
    if shape is None:
        return
    report = botocore.validate.ParamValidator().validate(value, shape)
    if report.has_errors():
        for line in report.generate_report().splitlines():
            yield f"{what}: {line}"


def strange_json(shape, value, place):
    """Fields of an answer in JSON that the model does not have: botocore's own parser passes over them."""
    if getattr(shape, "is_document_type", False):
        return
    if shape.type_name == "structure" and isinstance(value, dict):
        known = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for key, inner in value.items():
            if key not in known:
                yield f"{place}.{key} is unknown"
            else:
                yield from strange_json(known[key], inner, f"{place}.{key}")
    elif shape.type_name == "list" and isinstance(value, list):
        for number, inner in enumerate(value):
            yield from strange_json(shape.member, inner, f"{place}[{number}]")
    elif shape.type_name in ("structure", "list") and value is not None:
        yield f"{place} is no {shape.type_name}"


def judge(exchange):
    """The violations of one exchange."""
    try:
        service = model(exchange["service"])
    except botocore.exceptions.UnknownServiceError:
        yield "no such service"
        return
    protocol = service.metadata["protocols"] if "protocols" in service.metadata else [service.metadata["protocol"]]
    try:
        if "ec2" in protocol or "query" in protocol and "Action=" in exchange["request"]:
            operation, value = by_form(service, exchange, "ec2" in protocol)
        elif "x-amz-target" in exchange["headers"]:
            operation, value = by_header(service, exchange)
        else:
            operation, value = by_path(service, exchange)
    except (Unknown, botocore.model.OperationNotFoundError, ValueError) as error:
        yield f"the request: {error}"
        return
    yield from validate(operation.input_shape, value, f"the request {operation.name}")
    if exchange.get("status") is None or exchange["status"] >= 300 or operation.output_shape is None:
        return
    if operation.has_streaming_output:
        return
    kind = "ec2" if "ec2" in protocol else "query" if "query" in protocol else service.metadata["protocol"]
    # A service may speak several protocols; the answer is in that of the request.
    kind = "json" if "x-amz-target" in exchange["headers"] else kind
    parser = botocore.parsers.create_parser(kind)
    try:
        said = parser.parse(
            {"body": exchange["response"].encode(), "headers": {"content-type": exchange.get("responseType") or ""}, "status_code": exchange["status"]},
            operation.output_shape,
        )
    except Exception as error:  # The parser raises whatever the XML or JSON reader does.
        yield f"the answer to {operation.name} cannot be read: {error}"
        return
    said.pop("ResponseMetadata", None)
    yield from validate(operation.output_shape, said, f"the answer to {operation.name}")
    # The emulator is not ours: what it adds is its own affair. What the shim or a test has made is judged to the last field.
    if exchange.get("given") and kind in ("json", "rest-json") and exchange["response"]:
        yield from strange_json(operation.output_shape, json.loads(exchange["response"]), f"the answer to {operation.name}: ")


def verdict(path):
    """What is said of a file of exchanges, and the exit status that it deserves."""
    exchanges = [json.loads(line) for line in pathlib.Path(path).read_text().split("\n") if line]
    found = collections.Counter()
    for exchange in exchanges:
        for fault in judge(exchange):
            found[f"{exchange['service']} {exchange['action']}: {fault}"] += 1
    lines = [f"{count} x {fault}" for fault, count in found.items()]
    lines.append(f"{len(exchanges)} exchanges, {sum(found.values())} violations")
    return {"said": "\n".join(lines), "status": 2 if not exchanges else 1 if found else 0}


def serve():
    """Answers until the end of the input: the models are loaded once."""
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {"value": verdict(question["ask"])}
        except Exception as error:  # Whatever it is, who asked must hear of it.
            answer = {"error": f"the judge failed: {error!r}"}
        print(json.dumps({"id": question["id"], **answer}), flush=True)


def main():
    if sys.argv[1] == "--serve":
        return serve()
    found = verdict(sys.argv[1])
    print(found["said"])
    sys.exit(found["status"])


if __name__ == "__main__":
    main()
