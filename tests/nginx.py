"""A real nginx in front of a studio, with the few lines that people write for it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from fanslymotion.settings import ROOT
from fanslymotion.tests.studio import free_port, wait_for

PROGRAM = shutil.which("nginx") or shutil.which("nginx", path=f"/usr/sbin{os.pathsep}{ROOT / 'build/nginx/usr/sbin'}")

WHOLE = """daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {lines}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, lines: str) -> Iterator[str]:
    """Run nginx while the block lasts, and return its address. lines: of the server, all else is nginx' default."""
    assert PROGRAM
    folder.mkdir()
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(WHOLE.format(folder=folder, port=port, lines=lines), encoding="utf-8")
    process = subprocess.Popen([PROGRAM, "-p", folder, "-c", config, "-e", folder / "error.log"])
    try:
        wait_for(lambda: _answers(port, process))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None
    try:
        httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
    except httpx.TransportError:
        return False
    return True
