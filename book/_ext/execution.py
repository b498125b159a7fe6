"""Execute the chapters in parallel, before Sphinx reads them, into a cache that knows the library.

The cache of jupyter-cache is keyed on a notebook's code alone, so it would serve
old outputs after dsnnlib or a dependency has changed. Here the cache's folder is
named by a hash of both. A failing cell ends the build and is named.
"""

import hashlib
import json
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

from concordance import WITNESS
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from nbclient import NotebookClient

KERNEL_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # chapters run side by side: one BLAS thread each
    "TQDM_DISABLE": "1",  # progress bars are for people
}


def library_key(root):
    """Hash what every chapter depends on: the library, the requirements and Python itself."""
    digest = hashlib.sha256(sys.version.encode())
    for path in [*sorted(root.glob("dsnnlib/**/*.py")), root / "requirements.txt"]:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def set_cache(app, config):
    """Point myst-nb to the cache of this library; a changed library re-reads all pages."""
    key = library_key(Path(app.srcdir))
    config.execution_key = key
    config.nb_execution_cache_path = str(Path(app.outdir).parent / ".jupyter_cache" / key)
    for name, value in KERNEL_ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def execute(app, env, docnames):
    """Execute every notebook that the cache does not hold, and keep what all of them printed."""
    cache = get_cache(env.mystnb_config.execution_cache_path)
    notebooks = dict(_notebooks(app, env))
    missing = {name: nb for name, nb in notebooks.items() if not _is_cached(cache, nb)}
    failures, workers = [], os.cpu_count() or 1
    if missing:
        _say(f"executing {len(missing)} of {len(notebooks)} chapters, {workers} at a time")
    with ThreadPoolExecutor(max_workers=workers) as pool:
        jobs = {pool.submit(_run, env, name, nb): name for name, nb in missing.items()}
        for job in as_completed(jobs):
            name, (seconds, failure) = jobs[job], job.result()
            _say(f"  {name}: {seconds:.1f} s" + (", FAILED" if failure else ""))
            if failure:
                failures.append(failure)
                continue
            bundle = CacheBundleIn(
                missing[name], env.doc2path(name), data={"execution_seconds": seconds}
            )
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    if failures:
        # SystemExit: the message ends the output, instead of jupyter-book's own tracebacks.
        raise SystemExit("\n\n".join(["\nA chapter failed to execute:", *sorted(failures)]))
    env.executed = {name: _outputs(cache, nb) for name, nb in notebooks.items()}
    summary = Path(app.outdir).parent / "executed.json"  # for the tests of the book
    summary.write_text(json.dumps(env.executed, default=str, indent=1), encoding="utf8")


def figure_cell(env, docname, figure):
    """The executed cell of a chapter that draws the figure of this name, or None."""
    cache = get_cache(env.mystnb_config.execution_cache_path)
    _, executed = cache.merge_match_into_notebook(_notebook(env, docname))
    for cell in executed.cells:
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == figure:
            return cell
    return None


def _notebook(env, docname):
    path = Path(env.doc2path(docname))
    text = path.read_text(encoding="utf8")
    reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
    return reader and reader.read(text)


def _notebooks(app, env):
    """(docname, unexecuted notebook) of every executable source."""
    for name in sorted(env.found_docs):
        notebook = _notebook(env, name)
        if notebook and any(cell.cell_type == "code" for cell in notebook.cells):
            yield name, notebook


def _is_cached(cache, notebook):
    with suppress(KeyError):
        return cache.match_cache_notebook(notebook) is not None
    return False


def _run(env, name, notebook):
    """Execute in place; return the seconds taken and, if a cell failed, who and why."""
    path = Path(env.doc2path(name))
    current = {"index": None}
    client = NotebookClient(
        notebook,
        timeout=env.mystnb_config.execution_timeout,
        record_timing=False,  # it would change the cache's key
        extra_arguments=["--log-level=ERROR"],  # not a warning for each kernel
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=lambda cell, cell_index: current.update(index=cell_index),
    )
    start, failure = time.perf_counter(), None
    try:
        client.execute()
    except Exception as error:  # whatever a chapter may raise is reported, and ends the build
        failure = _describe(path, notebook, current["index"], error)
    return time.perf_counter() - start, failure


def _describe(path, notebook, index, error):
    if index is None:
        return f"{path}: the kernel did not start: {error}"
    number = sum(cell.cell_type == "code" for cell in notebook.cells[: index + 1])
    lines = notebook.metadata.get("source_map") or [0] * len(notebook.cells)
    message = str(getattr(error, "evalue", "") or error).strip()
    kind = getattr(error, "ename", type(error).__name__)
    source = notebook.cells[index].source.strip().splitlines()
    quoted = "\n".join(f"    {line}" for line in source[:12])
    return f"{path}: code cell {number} (line {lines[index] + 1}): {kind}: {message}\n{quoted}"


def _outputs(cache, notebook):
    """What the other extensions need of an executed notebook, without its pictures."""
    record = cache.match_cache_notebook(notebook)
    _, executed = cache.merge_match_into_notebook(notebook)
    records = [
        output.metadata[WITNESS]
        for cell in executed.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if WITNESS in output.get("metadata", {})
    ]
    title = re.search(r"^# (.+)$", notebook.cells[0].source, re.MULTILINE)
    return {
        "title": title[1] if title else "",
        "seconds": record.data["execution_seconds"],
        "when": record.created,
        "witnesses": records,
        "metadata": dict(executed.metadata),
    }


def _say(message):
    """Progress for whoever waits, also under --quiet."""
    print(message, file=sys.stdout, flush=True)


def setup(app):
    app.add_config_value("execution_key", "", rebuild="env", types=[str])
    app.connect("config-inited", set_cache, priority=100)
    app.connect("env-before-read-docs", execute)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
