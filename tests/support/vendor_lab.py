"""The laboratory's JavaScript libraries: fetched from npm, or compared with it.

``python tests/support/vendor_lab.py`` writes minidl/lab/static/vendor/ anew from the versions in its VENDOR.toml, and
says which are newer; with ``--check`` it only says what differs. Needs npm.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

VENDOR = Path(__file__).parents[2] / "minidl/lab/static/vendor"
TABLE = VENDOR / "VENDOR.toml"
HEAD = "# JavaScript that the laboratory needs, from npm as it is; python tests/support/vendor_lab.py fetches it.\n"


def npm(*arguments, cwd=None):
    done = subprocess.run(["npm", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300, check=True)
    return done.stdout.strip()


def packed(name, version, integrity):
    """The files of a package, by name; its archive must have the hash that VENDOR.toml has."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / npm("pack", "--silent", f"{name}@{version}", cwd=folder).splitlines()[-1]
        content = archive.read_bytes()
        found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        if integrity not in ("", found):
            raise SystemExit(f"{name} {version}: the archive's hash is {found}, not {integrity}")
        with tarfile.open(archive) as tar:
            members = [member for member in tar.getmembers() if member.isfile()]
            return found, {m.name.partition("/")[2]: tar.extractfile(m).read() for m in members}


def rewritten(content, imports):
    """The text of a file, whose imports of other packages name the files beside it."""
    for name, file in imports.items():
        content = content.replace(f'from"{name}"'.encode(), f'from"./{file}"'.encode())
    return content


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def made(table):
    """All files of the folder as they should be, by name."""
    files, licences, text = {}, [], [HEAD]
    for entry in table["package"]:
        integrity, content = packed(entry["name"], entry["version"], entry.get("integrity", ""))
        for source, target in entry["files"].items():
            files[target] = rewritten(content[source], entry.get("imports", {}))
        licence = next(content[name] for name in ("LICENSE", "LICENSE.txt", "LICENSE.md") if name in content).decode()
        title = f"{entry['name']} {entry['version']}\nSPDX: {entry['licence']}"
        licences.append(f"{title}\n\n{licence.strip()}\n")
        hashes = {target: sha256(files[target]) for target in entry["files"].values()}
        text.append(written({**entry, "integrity": integrity}, hashes))
    files["LICENSE"] = ("\n" + "-" * 80 + "\n\n").join(licences).encode()
    files["VENDOR.toml"] = "\n".join(text).encode()
    return files


def written(entry, hashes):
    """An entry as TOML, with the files' hashes."""
    lines = [
        "[[package]]",
        *(f"{name} = {json.dumps(entry[name])}" for name in ("name", "version", "licence", "integrity")),
    ]
    for key, values in (("files", entry["files"]), ("imports", entry.get("imports")), ("sha256", hashes)):
        if values:
            inside = ", ".join(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in values.items())
            lines.append(f"{key} = {{ {inside} }}")
    return "\n".join(lines) + "\n"


def main():
    table = tomllib.loads(TABLE.read_text())
    files = made(table)
    differing = [
        name
        for name, content in files.items()
        if not (VENDOR / name).exists() or (VENDOR / name).read_bytes() != content
    ]
    for entry in table["package"]:
        newest = npm("view", entry["name"], "version")
        if newest != entry["version"]:
            print(f"{entry['name']} {entry['version']}: there is {newest}")
    print("\n".join(f"{name} differs" for name in differing) or "all as npm has it")
    if "--check" in sys.argv:
        raise SystemExit(bool(differing))
    for name in differing:
        (VENDOR / name).write_bytes(files[name])


if __name__ == "__main__":
    main()
