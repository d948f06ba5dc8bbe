"""A reader of handover bundles, written from operator/bundle/FORMAT.md alone, with nothing but Python's own library and the command zstd.

Usage: reader.py BUNDLE.tar BUNDLE.tar.zst.age.minisig

Takes the tar (what age and zstd give) and the signature that minisign has verified, checks what the format promises, and prints as JSON what the bundle holds.
Ends with an error at the first promise that is broken.
"""

import datetime
import hashlib
import json
import re
import subprocess
import sys
import tarfile

DEVICES = {"con", "prn", "aux", "nul"} | {f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)}
PART = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_-])?")
PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
COMMENT = re.compile(
    r"trusted comment: caretaker-bundle-v1 client=(?P<client>\S+) id=(?P<id>\S+) mode=(?P<mode>rehearsal|final) "
    r"time=(?P<time>\S+Z) size=(?P<size>[0-9]+) tar-sha256=(?P<tar>[0-9a-f]{64})"
)
TAG_FILES = {"bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"}


def promise(is_kept, what):
    if not is_kept:
        raise SystemExit(f"not as the format says: {what}")


def comment_of(path):
    lines = open(path, encoding="utf-8").read().splitlines()
    promise(len(lines) == 4, "a signature has four lines")
    promise(lines[0] == "untrusted comment: signature of a Caretaker handover bundle", "the untrusted comment is always the same")
    found = COMMENT.fullmatch(lines[2])
    promise(found, "the trusted comment has this form and order")
    return found.groupdict()


def members(path, comment):
    """Every file of the tar by its path below the one folder, read once and held as digest and size, small ones whole."""
    root = f"{comment['client']}-{comment['mode']}/"
    at = datetime.datetime.fromisoformat(comment["time"].replace("Z", "+00:00"))
    found, before = {}, ""
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            promise(member.type == tarfile.REGTYPE, f"{member.name} is a plain file")
            promise(not member.pax_headers, f"{member.name} has no extended header")
            promise((member.mode, member.uid, member.gid) == (0o644, 0, 0), f"{member.name} has mode 0644 and no owner")
            promise(member.mtime == int(at.timestamp()), f"{member.name} has the time of the bundle")
            promise(member.name.startswith(root) and member.name > before, f"{member.name} stands in the one folder, in order")
            before = member.name
            digest, size, kept, stream = hashlib.sha256(), 0, [], tar.extractfile(member)
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
                size += len(chunk)
                kept.append(chunk if size <= 1 << 26 else b"")
            found[member.name[len(root):]] = (digest.hexdigest(), size, b"".join(kept))
    return found


def manifest(text):
    lines = text.decode("ascii").splitlines()
    return {path: digest for digest, path in (line.split("  ", 1) for line in lines)}


def check_bag(files, comment):
    promise(files["bagit.txt"][2] == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", "bagit.txt is that of BagIt 1.0")
    payload = {path: held for path, held in files.items() if path.startswith("data/")}
    promise(set(files) - set(payload) == TAG_FILES, "there is no other tag file")
    promise(manifest(files["manifest-sha256.txt"][2]) == {path: held[0] for path, held in payload.items()}, "the manifest lists the payload")
    tags = manifest(files["tagmanifest-sha256.txt"][2])
    promise(tags == {path: files[path][0] for path in TAG_FILES - {"tagmanifest-sha256.txt"}}, "the tag manifest lists the tag files")
    info = dict(line.split(": ", 1) for line in files["bag-info.txt"][2].decode().splitlines())
    oxum = f"{sum(held[1] for held in payload.values())}.{len(payload)}"
    promise(info["Payload-Oxum"] == oxum, "Payload-Oxum counts bytes and files")
    told = {"Caretaker-Client": "client", "External-Identifier": "id", "Caretaker-Mode": "mode", "Caretaker-Time": "time"}
    promise(all(info[field] == comment[key] for field, key in told.items()), "bag-info.txt repeats the trusted comment")
    return payload


def check_names(payload):
    promise(len({path.lower() for path in payload}) == len(payload), "no two paths meet where letter case does not count")
    for path in payload:
        for part in path.split("/"):
            promise(PART.fullmatch(part) and part.split(".")[0].lower() not in DEVICES, f"{path} is portable")
        folder, _, name = path.removeprefix("data/").rpartition("/")
        promise(len(folder) <= 76 and len(name) <= 100, f"{path} is short enough")
    index = json.loads(payload["data/names-index.json"][2]) if "data/names-index.json" in payload else {}
    for path, true_name in index.items():
        promise(path in payload, f"{path} of the index is there")
        stem = path.rpartition("/")[2].split(".")[0]
        is_plain = PLAIN_NAME.fullmatch(true_name) and true_name not in DEVICES
        digits = hashlib.sha256(true_name.encode()).hexdigest()[:32]
        promise(stem == true_name if is_plain else stem.endswith(f"--{digits}"), f"{path} follows from {true_name!r}")


def assets(payload):
    count = 0
    for path, held in payload.items():
        if path.startswith("data/02-inventory/") and path.endswith(".ndjson.zst"):
            lines = subprocess.run(["zstd", "-d", "-q", "-c"], input=held[2], stdout=subprocess.PIPE, check=True).stdout.splitlines()
            for line in lines:
                asset = json.loads(line)
                promise({"id", "cloud", "account", "region", "type", "nativeType", "name", "tags", "verdict"} <= set(asset), f"a line of {path} is an asset")
            count += len(lines)
    return count


def check_gaps(payload):
    promise("data/14-gaps.json" in payload, "the gaps are there")
    gaps = json.loads(payload["data/14-gaps.json"][2])
    promise(all(gap["part"] and gap["reason"] for gap in gaps), "a gap names its part and its reason")
    missing = {gap["part"][:2] for gap in gaps}
    delivered = {path.removeprefix("data/")[:2] for path in payload}
    for number in (f"{number:02}" for number in range(16)):
        promise(number in delivered | missing, f"part {number} is there or in the gaps")
    return gaps


def entries(payload):
    """The entries of the ledger, whose chain is followed from its first segment to its last."""
    if "data/08-changes/ledger.ndjson" not in payload:
        return None
    count, number, segment = 0, 0, hashlib.sha256()
    for line in payload["data/08-changes/ledger.ndjson"][2].splitlines(keepends=True):
        told = json.loads(line)
        if "caretakerLedger" in told:
            before = segment.hexdigest() if number else ""
            promise(told["caretakerLedger"] == 1 and told["segment"] == number + 1, "segments are numbered without a gap")
            promise(told["previous"] == before, f"segment {number + 1} names the one before")
            number, segment = number + 1, hashlib.sha256()
        else:
            promise({"at", "operation", "entry", "data"} <= set(told), "a line of the ledger is an entry")
            count += 1
        segment.update(line)
    undo = json.loads(payload["data/08-changes/undo-plan.json"][2])
    promise((undo["segments"], undo["digest"]) == (number, segment.hexdigest()), "undo-plan.json tells the end of the chain")
    return count


def main():
    tar, signature = sys.argv[1:]
    comment = comment_of(signature)
    with open(tar, "rb") as stream:
        promise(hashlib.file_digest(stream, "sha256").hexdigest() == comment["tar"], "the tar has the digest that was signed")
    payload = check_bag(members(tar, comment), comment)
    check_names(payload)
    told = {
        "client": comment["client"], "id": comment["id"], "mode": comment["mode"], "assets": assets(payload), "gaps": check_gaps(payload),
        "entries": entries(payload), "files": {path.removeprefix("data/"): held[1] for path, held in payload.items()},
    }
    print(json.dumps(told, indent=1))


main()
