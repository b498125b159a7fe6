"""Put the files of Pyodide into a folder of the site, each checked by its SHA-256.

    python book/_live/pyodide_folder.py _build/html/pyodide [--from ARCHIVE]

The runtime and the official list of packages come from npm's package `pyodide`; the packages,
checked by that list, from ARCHIVE (any zip file or wheel that holds them) or else from the
public distribution.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from pathlib import Path

VERSION = "0.27.7"
LOCK = "pyodide-lock.json"
RUNTIME = {  # SHA-256 of what npm brings
    "pyodide-lock.json": "9c45b916001a750f4102fc287494f3eab215909c7535c626a20db80fd6333e2c",
    "pyodide.asm.js": "6b4c90de5b7172873f04f21884d0e9d2274e305fe32116558fe3e4fbe3618d51",
    "pyodide.asm.wasm": "a50dd1843f805a0b7c45b61037ee0d7b26dfe85efe0e18ef95a34ad24e401f5f",
    "pyodide.js": "b4cb23a53aba19c221659b9fb40a2f18281d685691dc06647fb0afd0681baf98",
    "python_stdlib.zip": "16611534726e5d8ac2bd8f926410b2dcb8d6f49aa24913463533b457a2115c16",
}
WANTED = ("matplotlib", "numpy", "scipy")  # what the pages that run in a browser need


def packages(lock, wanted):
    """{file name: SHA-256} of the packages and of all that they depend on."""
    found, waiting = {}, list(wanted)
    while waiting:
        entry = lock["packages"][waiting.pop().lower()]
        if entry["file_name"] not in found:
            found[entry["file_name"]] = entry["sha256"]
            waiting += entry["depends"]
    return found


def from_npm(folder):
    """Put the runtime into the folder."""
    with tempfile.TemporaryDirectory() as scratch:
        pack = ["npm", "pack", "--silent", f"pyodide@{VERSION}"]
        try:
            subprocess.run(pack, cwd=scratch, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            sys.exit("npm is needed to get Pyodide: sudo apt install npm")
        except subprocess.CalledProcessError as error:
            sys.exit(f"npm could not get pyodide {VERSION}: {error.stderr.strip()[-200:]}")
        with tarfile.open(next(Path(scratch).glob("*.tgz"))) as archive:
            for name, digest in RUNTIME.items():
                keep(folder / name, archive.extractfile(f"package/{name}").read(), digest)


def keep(path, content, digest):
    """Write a file, if it is what it should be."""
    if hashlib.sha256(content).hexdigest() != digest:
        sys.exit(f"{path.name} is not the official file: its SHA-256 differs")
    path.write_bytes(content)


def is_kept(path, digest):
    """Whether the folder holds the file already."""
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def main(arguments=None):
    """Fill the folder; say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--from", dest="archive", type=Path, metavar="ARCHIVE")
    asked = parser.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    if not all(is_kept(asked.folder / name, digest) for name, digest in RUNTIME.items()):
        from_npm(asked.folder)
    lock = json.loads((asked.folder / LOCK).read_text(encoding="utf8"))
    files = packages(lock, WANTED)
    lacking = {n: d for n, d in files.items() if not is_kept(asked.folder / n, d)}
    if asked.archive and lacking:
        with zipfile.ZipFile(asked.archive) as archive:
            inside = {Path(name).name: name for name in archive.namelist()}
            for name in lacking & inside.keys():
                keep(asked.folder / name, archive.read(inside[name]), lacking.pop(name))
    for name, digest in lacking.items():
        print(f"  {name}", flush=True)
        try:
            with urllib.request.urlopen(public() + name, timeout=60) as answer:
                keep(asked.folder / name, answer.read(), digest)
        except OSError as error:
            sys.exit(f"{name} cannot be had from {public()}: {error}")
    size = sum(path.stat().st_size for path in asked.folder.iterdir()) / 1e6
    print(f"Pyodide {VERSION} with {', '.join(WANTED)}: {size:.0f} MB in {asked.folder}")


def public():
    """Where the site's configuration says that Pyodide is."""
    text = (Path(__file__).resolve().parents[2] / "_config.yml").read_text(encoding="utf8")
    url = re.search(r"^ *pyodide_url: *(https://\S+)", text, re.MULTILINE)
    return url[1] if url else sys.exit("pyodide_url in _config.yml names no public distribution")


if __name__ == "__main__":
    main()
