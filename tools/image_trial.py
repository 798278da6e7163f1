"""Build the image and start a daemon from it: `make image-trial`, as root, where buildah is installed.

Without --base, a minimal Debian is made by mmdebstrap to build on, so no registry is needed. The daemon runs as the
image's user, with no privilege, on a root that cannot be written to; it must take calls, write their records and drain.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from tests.ports import free_ports

ROOT = Path(__file__).parents[1]
SUITE = "trixie"
IMAGE, USER = "localhost/tieline:trial", 10001
READY_S, DRAIN_S, CALLS = 30, 30, 10
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def run(*command: str, env: dict[str, str] | None = None) -> str:
    """Run a command. Returns its output. Raises: SystemExit, with its last lines, if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})})
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout.strip()


def buildah(*arguments: str) -> str:
    return run("buildah", *arguments, env={"BUILDAH_ISOLATION": "chroot"})


def made_base(folder: Path) -> str:
    """Make a minimal Debian, with the certificates that this machine trusts, and return its image's name."""
    tree = folder / "base"
    run("mmdebstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(tree))
    trusted = Path("/") / CERTIFICATES
    if trusted.is_file():
        shutil.copy(trusted, tree / CERTIFICATES)
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(tree), "/")
    buildah("config", "--env", f"PIP_CERT=/{CERTIFICATES}", container)
    buildah("commit", "--quiet", "--rm", container, "localhost/tieline-base")
    shutil.rmtree(tree)
    return "localhost/tieline-base"


@contextmanager
def read_only(image: str, folder: Path) -> Iterator[tuple[Path, Path]]:
    """Mount an image so that nothing in it can be written to but its volume. Gives the root and the volume's folder."""
    container = buildah("from", image)
    try:
        root, volume = folder / "root", folder / "volume"
        root.mkdir()
        volume.mkdir()
        os.chown(volume, USER, USER)
        run("mount", "--bind", buildah("mount", container), str(root))
        try:
            run("mount", "-o", "remount,ro,bind", str(root))
            for kind, source, target in (
                ("bind", str(volume), "var/lib/tieline"),
                ("rbind", "/proc", "proc"),
                ("rbind", "/dev", "dev"),
            ):
                run("mount", f"--{kind}", source, str(root / target))
            yield root, volume
        finally:
            subprocess.run(["umount", "--recursive", "--lazy", str(root)], check=False)
    finally:
        buildah("rm", container)


def answer(url: str) -> tuple[int, str]:
    """The status and body of a GET, or 0 where nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=5) as got:  # noqa: S310 - ours, on loopback
            return got.status, got.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def serves(root: Path, volume: Path, port: int, ops_port: int, model_port: int) -> None:
    """Start the daemon in the image as its user, let it take calls, and drain. Raises: SystemExit."""
    settings = {
        "PATH": "/opt/tieline/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TIELINE_PORT": str(port),
        "TIELINE_OPS_PORT": str(ops_port),
        "TIELINE_LAME_DUCK_S": "0",
        "TIELINE_DRAIN_S": "1",
        "OPENAI_API_KEY": "sk-trial",
        "TIELINE_OPENAI_URL": f"ws://127.0.0.1:{model_port}",
    }
    # The root is changed by who may do so; then everything is given up.
    given_up = ("--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")
    user = ("setpriv", "--reuid", str(USER), "--regid", str(USER), *given_up)
    start = "cd /var/lib/tieline && exec tieline serve"
    daemon = subprocess.Popen(["unshare", "--root", str(root), *user, "sh", "-c", start], env=settings)
    try:
        end_s = time.monotonic() + READY_S
        while answer(f"http://127.0.0.1:{ops_port}/readyz")[0] != 200:
            if daemon.poll() is not None or time.monotonic() > end_s:
                sys.exit(f"the daemon was not ready (exit {daemon.poll()})")
            time.sleep(0.1)
        callers = ("load", "--to", f"ws://127.0.0.1:{port}/", "--model-port", str(model_port))
        print(run(sys.executable, str(ROOT / "run.py"), *callers, "--calls", str(CALLS), "--seconds", "5"))
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(timeout=DRAIN_S)
    finally:
        if daemon.poll() is None:
            daemon.kill()
    if code:
        sys.exit(f"the drain ended with {code}")
    with closing(sqlite3.connect(volume / "tieline.sqlite3")) as store:
        (ended,) = store.execute("SELECT count(*) FROM call WHERE ended_at IS NOT NULL").fetchone()
    print(f"drained; {ended} of {CALLS} calls have their record; in the volume: {sorted(os.listdir(volume))}")
    if ended != CALLS:
        sys.exit("calls are missing")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.image_trial", description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="", help="the image to build on; empty: one made by mmdebstrap")
    options = parser.parse_args(arguments)
    port = free_ports(3)
    for needed in ("buildah", "unshare", "setpriv", *(() if options.base else ("mmdebstrap",))):
        if shutil.which(needed) is None:
            sys.exit(f"{needed} is not installed")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        base = options.base or made_base(folder)
        files = ("--file", str(ROOT / "deploy/image/Containerfile"), "--ignorefile", str(ROOT / ".containerignore"))
        buildah("build", "--network", "host", "--build-arg", f"BASE={base}", "--tag", IMAGE, *files, str(ROOT))
        config = json.loads(buildah("inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
        assert config["User"] == f"{USER}:{USER}", config
        with read_only(IMAGE, folder) as (root, volume):
            serves(root, volume, port, port + 1, port + 2)


if __name__ == "__main__":
    main()
