"""Run a page's cells one after the other in one namespace, and report outputs as a notebook does.

This runs in Pyodide, inside the reader's browser; it needs no IPython and no server. What a cell
leaves is reported in the form of a notebook file: streams, displayed objects, the value of the
last expression, figures as SVG, and errors as Jupyter words them.
"""

import ast
import contextlib
import io
import json
import linecache
import sys
import traceback
import types


class _Stream(io.TextIOBase):
    """A text stream that reports whatever is written to it."""

    def __init__(self, name, report):
        self.name, self.report = name, report

    def writable(self):
        return True

    def write(self, text):
        if text:
            self.report(output_type="stream", name=self.name, text=text)
        return len(text)


class Runner:
    """One namespace, and the number of cells that ran in it.

    Parameters
    ----------
    emit : callable
        Takes each output, as JSON.
    """

    def __init__(self, emit):
        self.emit, self.count = emit, 0
        main = types.ModuleType("__main__")  # pickles and dataclasses look their module up
        self.namespace = main.__dict__
        self.namespace["display"] = self.display
        self.main = main

    def report(self, **output):
        """Pass one output on, as it stands in a notebook file."""
        self.emit(json.dumps(output))

    def display(self, *values):
        """Show values as rich as they can."""
        for value in values:
            data, metadata = _bundle(value)
            self.report(output_type="display_data", data=data, metadata=metadata)

    def run(self, code):
        """Run one cell; return whether it went through."""
        self.count += 1
        name = f"<cell {self.count}>"
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        before, sys.modules["__main__"] = sys.modules.get("__main__"), self.main
        out, err = _Stream("stdout", self.report), _Stream("stderr", self.report)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    self._execute(code, name)
                    return True
                except BaseException as error:  # whatever a cell raises is shown
                    self._fail(error)
                    return False
                finally:
                    self._figures()
        finally:
            sys.modules["__main__"] = before

    def _execute(self, code, name):
        tree = ast.parse(code, name)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr) and not code.rstrip().endswith(";"):
            last = ast.Expression(tree.body.pop().value)
        exec(compile(tree, name, "exec"), self.namespace)
        if last is None:
            return
        value = eval(compile(last, name, "eval"), self.namespace)
        if value is not None:
            data, metadata = _bundle(value)
            self.report(
                output_type="execute_result",
                data=data,
                metadata=metadata,
                execution_count=self.count,
            )

    def _figures(self):
        pyplot = sys.modules.get("matplotlib.pyplot")
        for number in pyplot.get_fignums() if pyplot else ():
            picture = io.StringIO()
            pyplot.figure(number).savefig(
                picture, format="svg", facecolor="none", metadata={"Date": None}
            )
            self.report(
                output_type="display_data",
                data={"image/svg+xml": picture.getvalue()},
                metadata={},
            )
        if pyplot:
            pyplot.close("all")

    def _fail(self, error):
        kind, words = type(error).__name__, str(error)
        lines = ["-" * 75, f"{kind:<42}Traceback (most recent call last)"]
        if isinstance(error, SyntaxError):
            lines += traceback.format_exception_only(error)
        else:
            frames = traceback.extract_tb(error.__traceback__)
            own = [n for n, frame in enumerate(frames) if frame.filename.startswith("<cell ")]
            for frame in frames[own[0] if own else 0 :]:
                lines.append(_where(frame))
            lines.append(f"{kind}: {words}")
        self.report(
            output_type="error",
            ename=kind,
            evalue=words,
            traceback="\n".join(lines).splitlines(),
        )


def _where(frame, around=2):
    """A frame as Jupyter shows it: where, and the lines around with an arrow."""
    if frame.filename.startswith("<cell "):
        place = f"Cell In[{frame.filename[6:-1]}], line {frame.lineno}"
    else:
        place = f"File {frame.filename}:{frame.lineno}, in {frame.name}"
    lines = [place]
    for number in range(max(frame.lineno - around, 1), frame.lineno + around + 1):
        text = linecache.getline(frame.filename, number).rstrip()
        if number == frame.lineno:
            lines.append(f"----> {number} {text}")
        elif linecache.getline(frame.filename, number):
            lines.append(f"      {number} {text}")
    return "\n".join([*lines, ""])


def _bundle(value):
    """(data, metadata) of a value, by the methods that Jupyter asks for."""
    if hasattr(value, "_repr_mimebundle_"):
        bundle = value._repr_mimebundle_()
        return bundle if isinstance(bundle, tuple) else (bundle, {})
    data = {"text/plain": repr(value)}
    if hasattr(value, "_repr_html_") and not isinstance(value, type):
        html = value._repr_html_()
        if html:
            data["text/html"] = html
    return data, {}


def stand_in(display):
    """Let ``import IPython`` find what the library and matplotlib ask of it, and no more."""
    names = ("IPython", "IPython.display", "IPython.core", "IPython.core.pylabtools")
    package, shown, core, tools = (types.ModuleType(name) for name in names)
    events = types.SimpleNamespace(register=lambda *_: None, unregister=lambda *_: None)
    shell = types.SimpleNamespace(events=events, enable_gui=lambda *_: None)
    package.get_ipython, package.version_info = (lambda: shell), (9, 0)
    package.__path__ = core.__path__ = []
    shown.display, tools.backend2gui = display, {}
    package.display, package.core, core.pylabtools = shown, core, tools
    sys.modules.update(zip(names, (package, shown, core, tools), strict=True))
