#!/usr/bin/env python3
"""What the service does over HTTP: reads in, inquiries, both at once, and beside those that are slow
or wrong.

usage: service.py DIRECTORY STEP...

DIRECTORY gets a site of READS synthetic reads once; each step is asked of a service of its own,
started on it, and prints one JSON line. Steps:

  ready      GET /readyz, 16 clients
  singles    reads in, one a request, 64 clients, each on disk before its answer
  batches    reads in, 1,000 a request, 8 clients
  ask        plate inquiries over TLS, 64 clients, as fast as they are answered
  paced      the same, 1,500 a second asked for
  beside     500 inquiries a second, then the same while 100,000 reads a second come in, in turn
  slow       GET /readyz beside nobody, 1,000 slow heads, bodies and readers, wrong tokens and
             wrong passwords, in turn
  soak       READ_RATE reads (20,000) and ASK_RATE inquiries (500) a second for SOAK_SECONDS (3,600);
             memory and descriptors of the service each ten seconds, then of each sixth of the time
             (looked at each second), how much more they are in the last than in the second, and
             whether that is less than 5 % by mean, median and tenth percentile

Needs openssl (the command), for the certificate.

  PLATEBASE  the program (build/release/platebase)
  BENCH      the program made of http.c (build/release/bench/bench_http)
  READS      reads in the site (20,000,000)
  SECONDS    of each measurement (8)
  ROUNDS     of what is asked in turn (3)
"""
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PLATEBASE = os.environ.get("PLATEBASE", os.path.join(HERE, "../build/release/platebase"))
BENCH = os.environ.get("BENCH", os.path.join(HERE, "../build/release/bench/bench_http"))
READS = os.environ.get("READS", "20000000")
SECONDS = os.environ.get("SECONDS", "8")
ROUNDS = int(os.environ.get("ROUNDS", "3"))
READ_RATE = int(os.environ.get("READ_RATE", "20000"))
ASK_RATE = int(os.environ.get("ASK_RATE", "500"))
SOAK_SECONDS = int(os.environ.get("SOAK_SECONDS", "3600"))
DRIFT_PERCENT_MAX = 5.0
PATIENCE_S = 60
PLATES = 4096
QUOTAS = "".join(f"  {who}_{what}: 0\n" for who in ("token", "person", "agency", "address")
                 for what in ("requests_per_second", "rows_per_hour"))


def run(*arguments: str) -> str:
    return subprocess.run([PLATEBASE, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=True).stdout.strip()


def feed(form: str) -> subprocess.Popen:
    return subprocess.Popen(
        [PLATEBASE, "generate", "--reads", READS, "--from", "2026-10-01", "--format", form,
         "--quiet", "--out", "-"], stdout=subprocess.PIPE)


def write_questions(path: str) -> None:
    """A question on a line, of plates drawn by how often they are read."""
    step = max(1, int(READS) // PLATES)
    with feed("csv") as process, open(path, "w", encoding="utf-8") as file:
        for number, line in enumerate(process.stdout):
            if number % step != 1:
                continue
            file.write(json.dumps({
                "kind": "plate", "plate": line.split(b",", 2)[1].decode(),
                "jurisdiction": "unknown", "purpose": "criminal-investigation",
                "case_number": "26-000123", "relation": "subject",
                "justification": "Series of burglaries, the car was seen by two witnesses",
                "from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}) + "\n")


def make_site(directory: str) -> None:
    site, questions = f"{directory}/site", f"{directory}/questions"
    if os.path.exists(questions):
        return
    print(f"service.py: a site of {READS} reads", file=sys.stderr)
    os.makedirs(directory, exist_ok=True)
    # An agency that keeps its reads for years: the feed has the same dates whenever this is run.
    run("init", "--class", "local", "--jurisdiction", "US", "--training-valid-until", "2099-01-01",
        site)
    with feed("pbr") as process:
        subprocess.run([PLATEBASE, "import", "--data", site, "--format", "pbr", "--quiet", "-"],
                       stdin=process.stdout, check=True)
    run("merge", "--data", site, "--all", "--quiet")
    write_questions(questions + ".part")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-keyout", f"{directory}/key.pem", "-out", f"{directory}/certificate.pem"],
                   stderr=subprocess.DEVNULL, check=True)
    os.rename(questions + ".part", questions)


class Service:
    """A service on the site, while the block lasts, and clients of it."""

    def __init__(self, directory: str, is_tls: bool = True):
        self.directory, self.is_tls = directory, is_tls
        site = f"{directory}/site"
        self.tokens = {
            "reads": run("token", "add", "--data", site, "--agency", "site", "--may", "reads"),
            "ask": run("token", "add", "--data", site, "--agency", "site", "--person", "operator",
                       "--may", "ask")}
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            self.port = str(held.getsockname()[1])

    def __enter__(self):
        configuration = f"{self.directory}/platebase.yaml"
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(f"data: {self.directory}/site\nmode: write\nlisten: 127.0.0.1:{self.port}\n")
            if self.is_tls:
                file.write(f"tls:\n  certificate: {self.directory}/certificate.pem\n"
                           f"  key: {self.directory}/key.pem\n")
            file.write(f"limits:\n  connections_per_address: 4000\n{QUOTAS}")
        with open(f"{self.directory}/service.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([PLATEBASE, "serve", "--config", configuration],
                                            stderr=log)
        began = time.monotonic()
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() - began > PATIENCE_S:
                sys.exit(f"service.py: no service; see {self.directory}/service.log")
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def is_up(self) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", int(self.port))) == 0

    def client(self, path: str, *more: str, seconds: str = SECONDS) -> subprocess.Popen:
        tls = ["--tls"] if self.is_tls else []
        return subprocess.Popen([BENCH, *tls, "--seconds", seconds, *more, self.port, path],
                                stdout=subprocess.PIPE, text=True)

    def reads(self, *more: str, **how) -> subprocess.Popen:
        return self.client("/v1/reads", "--token", self.tokens["reads"], *more, **how)

    def ask(self, *more: str, **how) -> subprocess.Popen:
        return self.client("/v1/inquiries", "--token", self.tokens["ask"], "--body",
                           f"{self.directory}/questions", *more, **how)

    def processor_s(self) -> float:
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def lines_of(client: subprocess.Popen) -> list[str]:
    printed = client.communicate()[0]
    if client.returncode != 0:
        sys.exit("service.py: a client failed")
    return printed.splitlines()


def say(step: str, *results) -> None:
    print(json.dumps({"step": step, "load_average": os.getloadavg()[0], "result": results}),
          flush=True)


def p99_ms(lines: list[str]) -> float:
    return float(re.search(r"p99 ([0-9.]+)", "\n".join(lines)).group(1))


def ready(directory: str) -> None:
    with Service(directory, is_tls=False) as service:
        say("ready", *lines_of(service.client("/readyz", "--clients", "16")))


def singles(directory: str) -> None:
    with Service(directory, is_tls=False) as service:
        say("singles", *lines_of(service.reads("--reads", "1")))


def batches(directory: str) -> None:
    with Service(directory, is_tls=False) as service:
        say("batches", *lines_of(service.reads("--reads", "1000", "--clients", "8")))


def ask(directory: str) -> None:
    with Service(directory) as service:
        say("ask", *lines_of(service.ask()))


def paced(directory: str) -> None:
    with Service(directory) as service:
        say("paced", *lines_of(service.ask("--rate", "1500")))


def beside(directory: str) -> None:
    """In turn, so that what else the machine does falls on both alike."""
    alone, together = [], []
    with Service(directory) as service:
        lines_of(service.ask("--rate", "500", seconds="3"))
        for _ in range(ROUNDS):
            alone.append(p99_ms(lines_of(service.ask("--rate", "500"))))
            load = service.reads("--reads", "100", "--clients", "8", "--rate", "100000",
                                 seconds=str(int(SECONDS) + 1))
            time.sleep(0.5)
            together.append(p99_ms(lines_of(service.ask("--rate", "500"))))
            came = lines_of(load)[1]
    say("beside", {"p99_ms_alone": alone, "p99_ms_beside": together, "reads": came,
                   "times": round(statistics.median(together) / statistics.median(alone), 2)})


def slow(directory: str) -> None:
    beside_what = {"slow heads": ["--slow", "1000"], "slow bodies": ["--slow-bodies", "1000"],
                   "slow readers": ["--slow-readers", "1000"], "wrong tokens": ["--wrong", "100"],
                   "wrong passwords": ["--passwords", "100"]}
    with Service(directory, is_tls=False) as service:
        lines_of(service.client("/readyz", "--clients", "16", seconds="2"))
        for name, options in beside_what.items():
            alone, together, said = [], [], []
            for _ in range(ROUNDS):
                alone.append(p99_ms(lines_of(service.client("/readyz", "--clients", "16"))))
                said = lines_of(service.client("/readyz", "--clients", "16", "--token",
                                               service.tokens["reads"], *options))
                together.append(p99_ms(said))
            say(f"beside {name}", {
                "p99_ms_alone": alone, "p99_ms_beside": together, "said": said[1:],
                "times": round(statistics.median(together) / statistics.median(alone), 2)})


def memory_kb(pid: int) -> dict[str, int]:
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        fields = dict(line.split(":", 1) for line in file)
    kept = {"VmRSS": "resident", "RssAnon": "own", "RssFile": "mapped files"}
    return {name: int(fields[field].split()[0]) for field, name in kept.items()}


def sums_up(values: list[float]) -> dict[str, float]:
    return {"mean": round(statistics.mean(values), 1), "median": statistics.median(values),
            "tenth": statistics.quantiles(values, n=10)[0], "most": max(values)}


def verdict(samples: list[tuple[float, float, int]], seconds: float) -> dict:
    """Of samples (second, own memory in MiB, descriptors). The first sixth is left out: there
    buffers and caches fill for the first time."""
    sixths = [[sample[1:] for sample in samples if int(sample[0] * 6 / seconds) == sixth]
              for sixth in range(6)]
    if any(len(sixth) < 2 for sixth in sixths):
        sys.exit("service.py: too short for a verdict")
    said, drifts = {}, []
    for number, name in enumerate(("own_mib", "descriptors")):
        said[name] = [sums_up([sample[number] for sample in sixth]) for sixth in sixths]
        drift = {what: round((said[name][5][what] / said[name][1][what] - 1) * 100, 1)
                 for what in ("mean", "median", "tenth")}
        said[f"{name}_drift_percent"] = drift
        drifts += drift.values()
    return {**said, "is_flat": max(drifts) < DRIFT_PERCENT_MAX}


def soak(directory: str) -> None:
    """What is resident of mapped files is the system's to take back: `own` must not grow."""
    seconds, samples = str(SOAK_SECONDS), []
    with Service(directory) as service:
        clients = [service.ask("--rate", str(ASK_RATE), "--clients", "16", seconds=seconds),
                   service.reads("--reads", "100", "--clients", "8", "--rate", str(READ_RATE),
                                 seconds=seconds)]
        began = time.monotonic()
        while any(client.poll() is None for client in clients):
            passed_s, memory = time.monotonic() - began, memory_kb(service.process.pid)
            files = len(os.listdir(f"/proc/{service.process.pid}/fd"))
            samples.append((passed_s, round(memory["own"] / 1024, 1), files))
            if len(samples) % 10 == 1:
                print(json.dumps({"second": round(passed_s), "descriptors": files,
                                  "processor_s": round(service.processor_s(), 1), **memory}),
                      flush=True)
            time.sleep(1)
        say("soak", *(lines_of(client) for client in clients), verdict(samples, SOAK_SECONDS))


STEPS = {step.__name__: step for step in (ready, singles, batches, ask, paced, beside, slow, soak)}


def main() -> None:
    if len(sys.argv) < 3 or any(step not in STEPS for step in sys.argv[2:]):
        sys.exit(f"usage: service.py DIRECTORY STEP...; steps: {' '.join(STEPS)}")
    directory = os.path.abspath(sys.argv[1])
    make_site(directory)
    for step in sys.argv[2:]:
        STEPS[step](directory)


if __name__ == "__main__":
    main()
