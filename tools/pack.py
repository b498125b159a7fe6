"""Pack the built pages for any static host: one folder and one zip of it.

python tools/pack.py [target folder], by default _build/site
"""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
NAME = "neural-networks-as-dynamical-systems"
README = """Neural networks as dynamical systems: the book as a web site.

Put this folder on any web server, at any address. On your own computer:

    python3 -m http.server --bind 127.0.0.1

in this folder, then open http://127.0.0.1:8000/ in a browser. Nothing is loaded from elsewhere.
"""


def pack(target):
    """(folder, zip): the site without what only the build needs; whatever lay there is replaced."""
    if not (HTML / "book" / "index.html").exists():
        raise SystemExit("no built site: run `make book` first")
    folder = Path(target) / NAME
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HTML, folder, ignore=shutil.ignore_patterns(".buildinfo*", ".doctrees"))
    (folder / ".nojekyll").touch()  # GitHub's pages would leave out folders that begin with _
    (folder / "README.txt").write_text(README, encoding="utf8")
    return folder, Path(shutil.make_archive(str(folder), "zip", target, NAME))


if __name__ == "__main__":
    folder, archive = pack(sys.argv[1] if len(sys.argv) > 1 else ROOT / "_build" / "site")
    files = sum(path.is_file() for path in folder.rglob("*"))
    print(f"{folder} ({files} files)")
    print(f"{archive} ({archive.stat().st_size / 1e6:.1f} MB)")
