#!/usr/bin/env python3
"""How Platebase grows: loading, size and questions at several numbers of reads.

usage: growth.py DIRECTORY READS...

For each number: generates the synthetic feed in the binary form once, imports and merges it within
MEMORY, and asks for histories and places. Prints one JSON object each, and at the end a Markdown
table. Beside the feed (64 bytes a read) a load needs about 60 bytes a read of disk.

  PLATEBASE  the program (build/release/platebase)
  QUESTIONS  the program made of questions.c (build/release/bench/bench_questions)
  MEMORY     budget of loading (2G)
  QUERIES    how many plates and places are asked for (1000)
  KEEP       not empty: the stores stay
"""
import json
import os
import shutil
import subprocess
import sys
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
PLATEBASE = os.environ.get("PLATEBASE", os.path.join(HERE, "../build/release/platebase"))
QUESTIONS = os.environ.get("QUESTIONS", os.path.join(HERE, "../build/release/bench/bench_questions"))
MEMORY = os.environ.get("MEMORY", "2G")
QUERIES = int(os.environ.get("QUERIES", "1000"))
DAY_MS = 86400000


def say(text: str) -> None:
    print(f"== {text}", file=sys.stderr, flush=True)


def call(*command: str) -> tuple[float, float, float, str]:
    """Wall and CPU seconds, peak memory in MiB, and what was printed."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"growth.py: {' '.join(command)} failed")
    return (time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024,
            printed)


def run(*arguments: str) -> tuple[float, float, float, str]:
    return call(PLATEBASE, *arguments)


def ask(store: str, plates: str, places: str) -> dict:
    return json.loads(call(QUESTIONS, f"{store}/reads", plates, places, "?AB*12", "ABC1234")[3])


def feed(directory: str, reads: int, form: str, out: str) -> list[str]:
    return ["generate", "--reads", str(reads), "--seed", "1", "--format", form, "--quiet", "--out",
            out]


def day_of(text: str) -> int:
    """Milliseconds of the day's beginning in UTC, near enough: times are within one month."""
    date = text[:10]
    days = int(time.mktime(time.strptime(date + " UTC", "%Y-%m-%d %Z"))) // 86400
    return days * DAY_MS


def sample(directory: str, reads: int) -> dict[str, str]:
    """Files of plates drawn alike, plates drawn by how often they are read, and places."""
    paths = {kind: f"{directory}/{kind}-{reads}.txt" for kind in ("alike", "by-read", "places")}
    if all(os.path.exists(path) for path in paths.values()):
        return paths
    say(f"sample {reads} reads")
    step = max(1, reads // QUERIES)
    # About one plate in five reads or fewer is distinct: enough are below this.
    limit = min(2**32, 2**32 * 40 * QUERIES // reads)
    alike: set[str] = set()
    by_read, places = [], []
    with subprocess.Popen([PLATEBASE, *feed(directory, reads, "csv", "-")],
                          stdout=subprocess.PIPE) as process:
        for number, line in enumerate(process.stdout):
            fields = line.split(b",", 6)
            if number == 0:
                continue
            if zlib.crc32(fields[1]) < limit:
                alike.add(fields[1].decode())
            if number % step == 0:
                by_read.append(fields[1].decode())
                if fields[4]:
                    day = day_of(fields[0].decode())
                    places.append(f"{fields[4].decode()} {fields[5].decode()} {day} {day + DAY_MS}")
    chosen = {"alike": sorted(alike, key=lambda text: zlib.crc32(text[::-1].encode()))[:QUERIES],
              "by-read": by_read, "places": places}
    for kind, path in paths.items():
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write("\n".join(chosen[kind]) + "\n")
        os.rename(path + ".part", path)
    return paths


def measure(directory: str, reads: int) -> dict:
    source = f"{directory}/reads-{reads}.pbr"
    store = f"{directory}/store-{reads}"
    if not os.path.exists(source):
        say(f"generate {reads} reads")
        run(*feed(directory, reads, "pbr", source + ".part"))
        os.rename(source + ".part", source)
    paths = sample(directory, reads)
    shutil.rmtree(store, ignore_errors=True)
    # An agency that keeps its reads for years: the feed has the same dates whenever this is run.
    run("init", "--quiet", "--class", "local", "--jurisdiction", "US", store)
    say(f"import {reads} reads")
    wall, cpu, rss, printed = run("import", "--data", store, "--quiet", "--json", "--memory",
                                  MEMORY, source)
    stored = json.loads(printed)["stored"]
    merge_wall, merge_cpu, merge_rss, _ = run("merge", "--data", store, "--all", "--quiet",
                                              "--memory", MEMORY)
    say(f"ask {reads} reads")
    alike = ask(store, paths["alike"], paths["places"])
    by_read = ask(store, paths["by-read"], paths["places"])
    stats = json.loads(run("stats", "--data", store, "--json")[3])
    if not os.environ.get("KEEP"):
        shutil.rmtree(store)
    return {
        "reads": stored,
        "segments": stats["segments"],
        "load_s": round(wall + merge_wall, 2),
        "load_reads_per_s": round(stored / (wall + merge_wall)),
        "load_cpu_us_per_read": round((cpu + merge_cpu) / stored * 1e6, 3),
        "load_rss_mb": round(max(rss, merge_rss)),
        "bytes_per_read": stats["bytes_per_read"],
        "history_p50_us": alike["history_p50_us"],
        "history_p99_us": alike["history_p99_us"],
        "by_read_p50_us": by_read["history_p50_us"],
        "by_read_p99_us": by_read["history_p99_us"],
        "place_p50_ms": alike["place_p50_ms"],
        "place_p99_ms": alike["place_p99_ms"],
    }


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit("usage: growth.py DIRECTORY READS...")
    directory = sys.argv[1]
    os.environ["TZ"] = "UTC"
    time.tzset()
    os.makedirs(directory, exist_ok=True)
    results = []
    for reads in sys.argv[2:]:
        results.append(measure(directory, int(reads)))
        print(json.dumps(results[-1]), flush=True)
    keys = list(results[0])
    print("| " + " | ".join(keys) + " |\n|" + "---|" * len(keys))
    for result in results:
        print("| " + " | ".join(f"{result[key]:,}" for key in keys) + " |")


main()
