#!/usr/bin/env python3
"""Platebase with the same file and the same questions as the other engines.

usage: platebase.py COMMAND QUESTIONS CSV WORK_DIRECTORY PLATES PLACES

COMMAND is the platebase program, QUESTIONS the program made of questions.c, which asks the read store
itself: the other engines have neither policy nor audit in front of them. Loading is an import from
the CSV file until all is on disk and merged. Prints one JSON object (common.mjs).
"""
import json
import re
import resource
import shutil
import subprocess
import sys
import time

LIKE = "?AB*12"  # LIKE '_AB%12' of the others


MEMORY = "2G"
# One that keeps its reads for years: the feed has the same dates whenever this is run.
AGENCY = ["--class", "local", "--jurisdiction", "US"]


def load(command: str, store: str, file: str) -> None:
    subprocess.run([command, "import", "--data", store, "--quiet", "--memory", MEMORY, file],
                   check=True, stdout=subprocess.DEVNULL)


def merge(command: str, store: str) -> None:
    subprocess.run([command, "merge", "--data", store, "--all", "--quiet", "--memory", MEMORY],
                   check=True, stdout=subprocess.DEVNULL)


def rate_of_format(command: str, csv: str, work: str, form: str, reads: int) -> dict:
    """Reads a second from the same reads in another format, imported and merged."""
    store = f"{work}/store-{form}"
    file = f"{work}/reads.{form}"
    subprocess.run([command, "convert", "--quiet", "--format", "csv", "--to", form, "--out", file,
                    csv], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([command, "init", "--quiet", *AGENCY, store], check=True)
    # On disk and in the page cache, like the CSV file, rather than being written out meanwhile.
    subprocess.run(["sync", file], check=True)
    subprocess.run(["cat", file], check=True, stdout=subprocess.DEVNULL)
    began = time.monotonic()
    load(command, store, file)
    imported = time.monotonic()
    merge(command, store)
    merged = time.monotonic()
    shutil.rmtree(store)
    subprocess.run(["rm", file], check=True)
    return {f"{form}_import_reads_per_s": round(reads / (imported - began)),
            f"{form}_load_reads_per_s": round(reads / (merged - began))}


def main() -> None:
    if len(sys.argv) != 7:
        sys.exit("usage: platebase.py COMMAND QUESTIONS CSV WORK_DIRECTORY PLATES PLACES")
    command, questions, csv, work, plates, places = sys.argv[1:]
    store = f"{work}/store"

    shutil.rmtree(work, ignore_errors=True)
    subprocess.run(["mkdir", "-p", work], check=True)
    subprocess.run([command, "init", "--quiet", *AGENCY, store], check=True)
    began = time.monotonic()
    load(command, store, csv)
    imported = time.monotonic()
    merge(command, store)
    load_s = time.monotonic() - began
    load_rss_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024

    with open(plates, encoding="utf-8") as file:
        listed = file.read().split()
    edit = next((plate for plate in listed if re.fullmatch("[A-Z0-9]{7}", plate)), listed[0])
    printed = subprocess.run(
        [questions, f"{store}/reads", plates, places, LIKE, edit], check=True, stdout=subprocess.PIPE)
    answer = json.loads(printed.stdout)
    answer.update({
        "load_s": round(load_s, 3),
        "load_reads_per_s": round(answer["reads"] / load_s),
        "import_s": round(imported - began, 3),
        "merge_s": round(load_s - (imported - began), 3),
        "merged": True,
        # The others load and ask in one process.
        "query_rss_mb": answer["peak_rss_mb"],
        "peak_rss_mb": round(max(load_rss_mb, answer["peak_rss_mb"]), 1),
        "notes": "",
    })
    for form in ("ndjson", "pbr"):
        answer.update(rate_of_format(command, csv, work, form, answer["reads"]))
    print(json.dumps(answer))


main()
