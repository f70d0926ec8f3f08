#!/usr/bin/env bash
# Platebase and its peers with the same reads and the same questions, one after another.
#
# usage: bench/run.sh DIR READS [ENGINE...]
#
# DIR receives the feed, the stores and the results: about 250 bytes a read. ENGINE is one of
# platebase, clickhouse, duckdb, sqlite; all of them by default. Needs Node.js 20, a C compiler and
# SQLite's header for the peers; they are fetched once, by `npm install`, into bench/node_modules.
#
#   PLATEBASE  the program (build/release/platebase)
#   QUESTIONS  what asks its store (bench/bench_questions beside it)
#   THREADS    of the embedded peers (2)
#   QUERIES    how many plates are asked for (1000)
#   PAGE       a Markdown page whose marked section is replaced by the table
set -euo pipefail

if (($# < 2)); then
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
fi
bench=$(cd "$(dirname "$0")" && pwd)
directory=$1
reads=$2
shift 2
engines=("$@")
((${#engines[@]} > 0)) || engines=(platebase clickhouse duckdb sqlite)
platebase=${PLATEBASE:-$bench/../build/release/platebase}
questions=${QUESTIONS:-$(dirname "$platebase")/bench/bench_questions}
threads=${THREADS:-2}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
csv=$directory/reads-$reads.csv
plates=$directory/plates-$reads.txt
places=$directory/places-$reads.txt
results=$directory/results-$reads.json

say() {
    printf '== %s\n' "$*" >&2
}

if [[ ! -d $bench/node_modules ]]; then
    say "npm install"
    npm install --prefix "$bench" --no-save --no-package-lock --no-audit --no-fund >&2
fi
if [[ ! -s $csv ]]; then
    say "generate $reads reads"
    "$platebase" generate --reads "$reads" --seed 1 --format csv --out "$csv.part"
    mv "$csv.part" "$csv"
fi
if [[ ! -s $places ]]; then
    say "choose plates and places"
    node "$bench/sample.mjs" "$csv" "$plates" "$places" "${QUERIES:-1000}"
fi

run_engine() {
    local work=$directory/$1

    case $1 in
    platebase)
        python3 "$bench/platebase.py" "$platebase" "$questions" "$csv" "$work" "$plates" "$places"
        ;;
    clickhouse | duckdb)
        node "$bench/$1.mjs" "$csv" "$work" "$plates" "$places" "$threads"
        ;;
    sqlite)
        mkdir -p "$work"
        "${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 "$bench/sqlite.c" -o "$work/bench_sqlite" -lsqlite3 -lm
        "$work/bench_sqlite" "$csv" "$work" "$plates" "$places"
        ;;
    *)
        echo "bench/run.sh: no engine $1" >&2
        return 2
        ;;
    esac
}

: >"$results.part"
for engine in "${engines[@]}"; do
    say "$engine"
    cat "$csv" >/dev/null # every engine finds the file in the page cache
    run_engine "$engine" | tee -a "$results.part" >&2
    rm -rf "${directory:?}/$engine"
done
mv "$results.part" "$results"
node "$bench/report.mjs" "$results" ${PAGE:+"$PAGE"}
