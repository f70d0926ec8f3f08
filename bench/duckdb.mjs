/*
 * DuckDB: two tables, each sorted once in bulk; zone maps find the rows.
 *
 * The file is parsed once, into the plate order; the place order is made from it. There are no
 * indexes: DuckDB's are for keys, and would be larger than the tables. Nothing can be inserted
 * later without losing the order, so this is a best case that a live system would not keep. Times in
 * whole milliseconds and positions in whole numbers came out smallest.
 */
import { DuckDBInstance, version } from "@duckdb/node-api";
import {
  CELL_SQL, LIKE_SQL, LOOKALIKE_FROM, LOOKALIKE_TO, PLACE_RADIUS_M, PLACE_ROWS, ask, bytesUnder,
  cellsAround, distanceSql, foldLookalikes, literal, task, timed,
} from "./common.mjs";

const todo = task(process.argv.slice(2));
const file = `${todo.work}/reads.duckdb`;
const instance = await DuckDBInstance.create(file, {
  threads: String(todo.threads),
  temp_directory: `${todo.work}/temp`,
});
const connection = await instance.connect();
await connection.run("SET TimeZone = 'UTC'");

const NAMES = `captured_at, plate, jurisdiction, reader, lat_e7, lon_e7, heading_deg, speed_kmh, confidence,
  make, model, color, body, year, event_id, alternates`;
const CSV_TYPES = `{
  'captured_at': '${todo.hasEpochTimes ? "BIGINT" : "TIMESTAMPTZ"}', 'plate': 'VARCHAR',
  'jurisdiction': 'VARCHAR', 'reader': 'VARCHAR', 'lat': 'DOUBLE', 'lon': 'DOUBLE',
  'heading_deg': 'FLOAT', 'speed_kmh': 'FLOAT', 'confidence': 'FLOAT', 'make': 'VARCHAR',
  'model': 'VARCHAR', 'color': 'VARCHAR', 'body': 'VARCHAR', 'year': 'USMALLINT',
  'event_id': 'VARCHAR', 'alternates': 'VARCHAR' }`;
const TIME = todo.hasEpochTimes ? "make_timestamp_ms(captured_at)" : "captured_at";

const loaded = await timed(async () => {
  await connection.run(`CREATE TABLE by_plate AS
    SELECT ${TIME}::TIMESTAMP_MS AS captured_at, round(lat * 1e7)::INTEGER AS lat_e7,
      round(lon * 1e7)::INTEGER AS lon_e7, * EXCLUDE (captured_at, lat, lon)
    FROM read_csv(${literal(todo.csv)}, header = true, delim = ',', quote = '"', columns = ${CSV_TYPES})
    ORDER BY plate, captured_at`);
  await connection.run(`CREATE TABLE by_place AS
    SELECT ${CELL_SQL("lat_e7 / 1e7", "lon_e7 / 1e7")} AS cell, * FROM by_plate ORDER BY cell, captured_at`);
  await connection.run("CHECKPOINT");
});
const reads = Number((await connection.runAndReadAll("SELECT count(*) FROM by_plate")).getRows()[0][0]);
if (process.env.BENCH_COLUMNS)
  for (const table of ["by_plate", "by_place"]) {
    const sizes = await connection.runAndReadAll(`SELECT column_name, list(DISTINCT compression),
      count(DISTINCT block_id) FROM pragma_storage_info('${table}') GROUP BY ALL ORDER BY 3 DESC`);
    for (const row of sizes.getRows()) process.stderr.write(`${table} ${row.join(" ")}\n`);
  }

const history = await connection.prepare(
  `SELECT ${NAMES} FROM by_plate WHERE plate = $1 ORDER BY captured_at DESC`);
async function count(sql) {
  return Number((await connection.runAndReadAll(sql)).getRows()[0][0]);
}
const folded = `translate(plate, '${LOOKALIKE_FROM}', '${LOOKALIKE_TO}')`;

await ask(todo, {
  name: "duckdb",
  version: version(),
  reads,
  load_s: loaded.s,
  merged: true,
  bytes: bytesUnder(file),
  history: async (plate) => {
    history.bindVarchar(1, plate);
    return (await history.runAndReadAll()).getRows().length;
  },
  like: () =>
    count(`SELECT count(*) FROM (SELECT plate, jurisdiction, count(*) FROM by_plate
      WHERE plate LIKE '${LIKE_SQL}' GROUP BY plate, jurisdiction)`),
  edit: () =>
    count(`SELECT count(*) FROM (SELECT DISTINCT plate, jurisdiction FROM by_plate)
      WHERE levenshtein(${folded}, ${literal(foldLookalikes(todo.editPlate))}) <= 2`),
  place: async (place) =>
    (
      await connection.runAndReadAll(`SELECT ${NAMES} FROM by_place
        WHERE cell IN (${cellsAround(place)})
          AND captured_at >= make_timestamp_ms(${place.from_ms})
          AND captured_at < make_timestamp_ms(${place.to_ms})
          AND ${distanceSql(place)} <= ${PLACE_RADIUS_M}
        ORDER BY captured_at DESC LIMIT ${PLACE_ROWS}`)
    ).getRows().length,
  notes: "sorted once in bulk; embedded; memory includes Node.js",
});
connection.closeSync();
