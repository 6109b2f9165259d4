"""``multiclin serve`` as a process of its own, on a loopback port."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from clinner_spacy.cli import app


@pytest.mark.slow
def test_two_pipelines_answer_until_they_are_told_to_stop(tmp_path: Path) -> None:
    (config := tmp_path / "c.toml").write_text("[es]\nassertion = true\n[it]\nthreshold = 0.5\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "clinner_spacy", "serve", "--config", str(config), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        until_it_answers(address := f"http://127.0.0.1:{port}", process)
        told = httpx.get(f"{address}/info").json()["languages"]
        assert {name: one["assertion"] for name, one in told.items()} == {"es": True, "it": False}
        assert "<textarea" in httpx.get(address).text
        asked = {"texts": ["Niega fiebre. Zacarias."]}
        assert httpx.post(f"{address}/annotate?language=es", json=asked, timeout=30).json()["results"][0]["mentions"]
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert output == f"{address}/ has the page; Ctrl+C ends the service.\n", "and no note"


def test_a_port_that_another_program_has() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["serve", "--lang", "es", "--port", str(port)])
    assert result.exit_code == 1 and f"127.0.0.1:{port} cannot be listened to" in result.output
    assert "has the page" not in result.output


def until_it_answers(address: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{address}/health").raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError("it never answered")
