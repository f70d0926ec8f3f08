/*
 * ClickHouse, embedded (chdb): two MergeTree tables, one in each order that is asked for.
 *
 * The file is parsed once: rows go into the plate order, and a materialized view sends them
 * on to the place order. Parts are synced, then merged to one part a table. Numbers are kept in the
 * narrowest type that loses nothing, with sentinels for "unknown", which is what an experienced
 * user would do. Codecs were chosen by measuring each column on two million reads; so were the small
 * granules and blocks of the plate order, which make a history a third faster for 3 % more bytes.
 */
import { Session } from "chdb";
import {
  CELL_SQL, LIKE_SQL, LOOKALIKE_FROM, LOOKALIKE_TO, PLACE_RADIUS_M, PLACE_ROWS, ask, cellsAround,
  distanceSql, foldLookalikes, task, timed,
} from "./common.mjs";

const todo = task(process.argv.slice(2));
const session = new Session(`${todo.work}/data`);

const text = "LowCardinality(String) CODEC(ZSTD(1))";
const columnTypes = (time, position, number) => `
  captured_at DateTime64(3, 'UTC') CODEC(${time}, ZSTD(1)), plate String CODEC(ZSTD(1)),
  jurisdiction ${text}, reader ${text},
  lat_e7 Int32 CODEC(${position}ZSTD(1)), lon_e7 Int32 CODEC(${position}ZSTD(1)),
  heading_cdeg ${number("UInt16")}, speed_ckmh ${number("UInt16")}, confidence ${number("Float32")},
  make ${text}, model ${text}, color ${text}, body ${text}, year ${number("UInt16")},
  event_id String CODEC(ZSTD(1)), alternates String CODEC(ZSTD(1))`;
const plain = (type) => `${type} CODEC(ZSTD(1))`;
const coded = (type) => `LowCardinality(${type}) CODEC(ZSTD(1))`;
const NO_POSITION = -2147483648;
const NAMES = `captured_at, plate, jurisdiction, reader, lat_e7, lon_e7, heading_cdeg, speed_ckmh,
  confidence, make, model, color, body, year, event_id, alternates`;
const CELL = `if(lat_e7 = ${NO_POSITION}, -1, ${CELL_SQL("lat_e7 / 1e7", "lon_e7 / 1e7")})`;

/* What the CSV's cells become. */
const FROM_CSV = `
  ${todo.hasEpochTimes ? "fromUnixTimestamp64Milli(captured_at, 'UTC')" : "captured_at"} AS captured_at,
  plate, jurisdiction, reader,
  ifNull(toInt32(round(lat * 1e7)), ${NO_POSITION}) AS lat_e7,
  ifNull(toInt32(round(lon * 1e7)), ${NO_POSITION}) AS lon_e7,
  ifNull(toUInt16(round(heading_deg * 100)), 65535) AS heading_cdeg,
  ifNull(toUInt16(round(speed_kmh * 100)), 65535) AS speed_ckmh,
  ifNull(confidence, nan) AS confidence,
  make, model, color, body, ifNull(year, 0) AS year, event_id, alternates`;
const CSV_TYPES = `
  captured_at ${todo.hasEpochTimes ? "Int64" : "DateTime64(3, 'UTC')"}, plate String,
  jurisdiction LowCardinality(String), reader LowCardinality(String), lat Nullable(Float64),
  lon Nullable(Float64), heading_deg Nullable(Float32), speed_kmh Nullable(Float32),
  confidence Nullable(Float32), make LowCardinality(String), model LowCardinality(String),
  color LowCardinality(String), body LowCardinality(String), year Nullable(UInt16), event_id String,
  alternates String`;

/* Syncs, so that "loaded" means "on disk". */
const TABLE_SETTINGS = `index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1,
  min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 1`;
const SMALL_BLOCKS = "min_compress_block_size = 8192, max_compress_block_size = 16384";

/* ClickHouse also takes a backslash for an escape. */
function literal(text) {
  return `'${String(text).replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function run(sql, format = "TabSeparated") {
  return session.query(sql, format);
}

function rowsOf(text) {
  let count = 0;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

run(`SET max_threads = ${todo.threads}, max_insert_threads = ${todo.threads}`);
run("SET date_time_input_format = 'best_effort', input_format_parallel_parsing = 1");
run("SET min_insert_block_size_rows = 2000000, min_insert_block_size_bytes = 1000000000");
run("SET max_insert_block_size = 2000000, allow_suspicious_low_cardinality_types = 1");
run("CREATE DATABASE bench ENGINE = Atomic");
run(`CREATE TABLE bench.by_plate (${columnTypes("T64", "", plain)}) ENGINE = MergeTree
  ORDER BY (plate, captured_at) SETTINGS ${TABLE_SETTINGS}, ${SMALL_BLOCKS}`);
run(`CREATE TABLE bench.by_place (cell Int32 CODEC(Delta, ZSTD(1)),
    ${columnTypes("Delta, T64", "Delta, ", coded)}) ENGINE = MergeTree
  ORDER BY (cell, captured_at) SETTINGS ${TABLE_SETTINGS}`);
run(`CREATE MATERIALIZED VIEW bench.to_place TO bench.by_place AS
  SELECT ${CELL} AS cell, ${NAMES} FROM bench.by_plate`);

const inserted = await timed(() =>
  run(`INSERT INTO bench.by_plate (${NAMES})
    SELECT ${FROM_CSV} FROM file(${literal(todo.csv)}, 'CSVWithNames', ${literal(CSV_TYPES)})`));
const merged = await timed(() => {
  run("OPTIMIZE TABLE bench.by_plate FINAL");
  run("OPTIMIZE TABLE bench.by_place FINAL");
});

const [reads, parts, bytes] = run(`SELECT sumIf(rows, table = 'by_plate'), count(), sum(bytes_on_disk)
  FROM system.parts WHERE database = 'bench' AND active`).trim().split("\t").map(Number);
if (process.env.BENCH_COLUMNS)
  process.stderr.write(run(`SELECT table, name, data_compressed_bytes / ${reads} AS bytes_per_read
    FROM system.columns WHERE database = 'bench' AND data_compressed_bytes > 0
    ORDER BY table, bytes_per_read DESC`, "PrettyCompactMonoBlock"));

const folded = `translate(plate, '${LOOKALIKE_FROM}', '${LOOKALIKE_TO}')`;
await ask(todo, {
  name: "clickhouse",
  version: run("SELECT version()").trim(),
  reads,
  load_s: inserted.s + merged.s,
  merged: parts === 2,
  bytes,
  history: (plate) =>
    rowsOf(run(`SELECT ${NAMES} FROM bench.by_plate WHERE plate = ${literal(plate)}
      ORDER BY captured_at DESC`)),
  like: () =>
    Number(run(`SELECT count() FROM (SELECT plate, jurisdiction, count() FROM bench.by_plate
      WHERE plate LIKE '${LIKE_SQL}' GROUP BY plate, jurisdiction)`)),
  edit: () =>
    Number(run(`SELECT count() FROM (SELECT DISTINCT plate, jurisdiction FROM bench.by_plate)
      WHERE editDistance(${folded}, ${literal(foldLookalikes(todo.editPlate))}) <= 2`)),
  place: (place) =>
    rowsOf(run(`SELECT ${NAMES} FROM bench.by_place
      WHERE cell IN (${cellsAround(place)})
        AND captured_at >= fromUnixTimestamp64Milli(${place.from_ms})
        AND captured_at < fromUnixTimestamp64Milli(${place.to_ms})
        AND ${distanceSql(place)} <= ${PLACE_RADIUS_M}
      ORDER BY captured_at DESC LIMIT ${PLACE_ROWS}`)),
  extra: { insert_s: Number(inserted.s.toFixed(3)), merge_s: Number(merged.s.toFixed(3)) },
  notes: "embedded; memory includes Node.js",
});
session.cleanup();
