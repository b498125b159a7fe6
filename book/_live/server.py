"""One Jupyter server for the reader's own machine: the built book, and kernels to run its cells.

Book and kernels have one origin, so that no other origin need be let in. Of
Jupyter's services only the kernels run: no files, notebooks, terminals or
settings. Every address but the login form asks for the token, or for the
cookie that Jupyter gives in exchange for it.
"""

import argparse
import ipaddress
import os
import secrets
import socket
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
FRONT = "/book/index.html"

try:
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_server.base.handlers import JupyterHandler
    from jupyter_server.serverapp import ServerApp
    from tornado import web
    from traitlets import default
except ImportError as error:
    sys.exit(
        f"{error}: run `make live`, or: .venv/bin/pip install -c requirements.txt -e '.[live]'"
    )

HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'self'",  # no other page shows this one inside it
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # nor its pictures, scripts and data
    "Referrer-Policy": "same-origin",  # the token never leaves in a Referer
}


class Page(JupyterHandler, web.StaticFileHandler):
    """A file of the site; with a token, Jupyter's cookie and on to the front page without it."""

    @web.authenticated
    async def get(self, path, include_body=True):
        """Serve the file."""
        if not path or "token" in self.request.arguments:
            self.redirect(FRONT)
        else:
            self.xsrf_token  # noqa: B018  reading it sets the cookie that the page's scripts send back
            await super().get(path, include_body)

    @web.authenticated
    async def head(self, path):
        """Serve the headers."""
        await super().get(path, include_body=False)

    def get_cache_time(self, *args):
        """Ask again each time: the book may have been rebuilt."""
        return 0


class Here(JupyterHandler):
    """Answer the page's question whether kernels are here; any other host says no."""

    @web.authenticated
    def get(self):
        """Say yes."""
        self.set_header("Cache-Control", "no-store")
        self.finish({"kernels": True})


class OwnPython(KernelSpecManager):
    """Only the Python that runs this server, whatever kernels the reader has installed."""

    @default("kernel_dirs")
    def _none(self):
        return []


class LiveServer(ServerApp):
    """Jupyter's server without its services for files, and without the reader's settings for it."""

    name = "live"
    default_services = ("auth", "kernels")
    kernel_spec_manager_class = OwnPython

    def load_config_file(self, *args, **kwargs):
        """Load nothing: no setting made for another server opens this one."""

    def init_webapp(self):
        """Add the site, before Jupyter's own addresses."""
        super().init_webapp()
        own = r"(?!/(?:api|login|logout|static)(?:/|$))"
        self.web_app.add_handlers(
            ".*",
            [
                (r"/_static/live/server\.json", Here),
                (rf"{own}/(.*)", Page, {"path": str(SITE)}),
            ],
        )


def serve(host="127.0.0.1", port=8888):
    """Serve until interrupted."""
    sys.path.insert(0, str(ROOT / "book" / "_ext"))
    from execution import KERNEL_ENVIRONMENT

    for name, value in KERNEL_ENVIRONMENT.items():  # as when the book was built
        os.environ.setdefault(name, value)
    with tempfile.TemporaryDirectory() as runtime:
        server = LiveServer(
            ip=host,
            port=port,
            root_dir=str(ROOT),
            runtime_dir=runtime,
            cookie_secret=secrets.token_bytes(32),  # yesterday's cookies are worth nothing
            open_browser=False,
            no_browser_open_file=True,
            allow_root=True,
            allow_unauthenticated_access=False,
            allow_remote_access=not loopback(host),
            answer_yes=True,
            log_level="ERROR",
            tornado_settings={"headers": HEADERS},
        )
        token = secrets.token_urlsafe(32)
        server.config.IdentityProvider.token = token
        server.config.IdentityProvider.cookie_options = {"samesite": "Strict", "expires_days": None}
        server.config.PasswordIdentityProvider.allow_password_change = False
        server.config.KernelManager.transport = "ipc"  # sockets in a folder that only we can enter
        server.config.MappingKernelManager.cull_idle_timeout = 1800  # of pages that were closed
        try:
            server.initialize(argv=[], find_extensions=False)
        except OSError as error:
            sys.exit(f"cannot listen on {host}, port {port}: {error}")
        if not loopback(host):
            print(
                f"WARNING: listening on {host}: whoever reaches this machine and has the address "
                "below can run programs on it as you, and the connection is not encrypted."
            )
        name = socket.gethostname() if host in ("0.0.0.0", "::") else host
        shown = f"[{name}]" if ":" in name else name
        print(f"The live book: http://{shown}:{server.port}/?token={token}")
        print(
            "Keep this address to yourself. Control-C stops the server and its kernels.", flush=True
        )
        server.start()


def loopback(host):
    """Whether only this machine can reach the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve the built book with live cells.")
    parser.add_argument("--host", default="127.0.0.1", help="default: this machine only")
    parser.add_argument("--port", type=int, default=8888, help="the next free one from here on")
    arguments = parser.parse_args()
    if not 0 < arguments.port < 65536:
        parser.error("the port must be a number from 1 to 65535")
    if not (SITE / FRONT.lstrip("/")).exists():
        sys.exit("no built book: run `make book` first")
    serve(arguments.host, arguments.port)
