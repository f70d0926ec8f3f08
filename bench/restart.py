#!/usr/bin/env python3
"""How long the service takes to be ready, also after a kill at full load, and whether it lost anything.

usage: restart.py DIRECTORY AGENCY

DIRECTORY is a data directory that nothing else uses; reads of invented readers are added to it, so
give it a copy. The service is started and timed until /readyz says yes; then clients send as fast as
they are answered, and keep a ledger of what was acknowledged. Amid that it is killed (SIGKILL), started and timed again, and all
of the ledger is sent once more: what is not known there already was lost. Prints one JSON object
a round; fails where a read was lost.

  PLATEBASE  the program (build/release/platebase)
  BENCH      the program made of http.c (build/release/bench/bench_http)
  ROUNDS     kills (3)
  SECONDS    of load before each (5)
  CLIENTS    connections (8)
  READS      reads a request (1000)
"""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
PLATEBASE = os.environ.get("PLATEBASE", os.path.join(HERE, "../build/release/platebase"))
BENCH = os.environ.get("BENCH", os.path.join(HERE, "../build/release/bench/bench_http"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = int(os.environ.get("SECONDS", "5"))
CLIENTS = os.environ.get("CLIENTS", "8")
READS = os.environ.get("READS", "1000")
PATIENCE_S = 120


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def start(directory: str, port: int, log) -> tuple[subprocess.Popen, float]:
    """The service, and the seconds until it was ready."""
    began = time.monotonic()
    service = subprocess.Popen(
        [PLATEBASE, "serve", "--data", directory, "--mode", "write", "--listen",
         f"127.0.0.1:{port}"], stderr=log)
    while not is_ready(port):
        if service.poll() is not None or time.monotonic() - began > PATIENCE_S:
            sys.exit("restart.py: the service does not get ready")
        time.sleep(0.005)
    return service, time.monotonic() - began


def bench(port: int, token: str, *more: str) -> list[str]:
    return [BENCH, "--clients", CLIENTS, "--token", token, *more, str(port), "/v1/reads"]


def round_of(directory: str, token: str, ledger: str, number: int, log) -> dict:
    port = free_port()
    service, ready_s = start(directory, port, log)
    load = subprocess.Popen(
        bench(port, token, "--reads", READS, "--seconds", str(SECONDS + 60), "--ledger", ledger),
        stdout=subprocess.PIPE, text=True)
    time.sleep(SECONDS)
    service.send_signal(signal.SIGKILL)
    service.wait()
    printed = load.communicate()[0]
    service, again_s = start(directory, port, log)
    check = subprocess.run(bench(port, token, "--seconds", "600", "--check", ledger),
                           stdout=subprocess.PIPE, text=True, check=False)
    service.send_signal(signal.SIGTERM)
    service.wait()
    result = {"round": number, "ready_s": round(ready_s, 3), "ready_after_kill_s": round(again_s, 3),
              "load": printed.splitlines()[-1], "ledger": check.stdout.splitlines()[-1]}
    print(json.dumps(result), flush=True)
    return {**result, "is_whole": check.returncode == 0}


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: restart.py DIRECTORY AGENCY")
    directory, agency = sys.argv[1:]
    token = subprocess.run(
        [PLATEBASE, "token", "add", "--data", directory, "--agency", agency, "--may", "reads"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as room, open(os.devnull, "w", encoding="utf-8") as log:
        rounds = [round_of(directory, token, os.path.join(room, "ledger"), number, log)
                  for number in range(1, ROUNDS + 1)]
    if not all(one["is_whole"] for one in rounds):
        sys.exit("restart.py: acknowledged reads were lost")


if __name__ == "__main__":
    main()
