/*
 * What all engines share: the questions, timing them, and the one object that is printed.
 *
 * usage of every engine: node <engine>.mjs CSV WORK_DIRECTORY PLATES PLACES [THREADS]
 *   CSV     native CSV, docs/formats/native-csv.md
 *   PLATES  one plate a line; the first that has seven characters is also searched with errors
 *   PLACES  lines "lat lon from_ms to_ms"
 */
import {
  closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, rmSync, statSync,
} from "node:fs";
import { join, resolve } from "node:path";

export const LIKE_SQL = "_AB%12"; // `?AB*12` of platebase
export const SCAN_RUNS = 5;
export const PLACE_ROWS = 100;
export const PLACE_RADIUS_M = 1000;
const EARTH_RADIUS_M = 6371008.8;

/* The 16 columns of the native CSV, in the order in which it is written. */
export const COLUMNS = [
  "captured_at", "plate", "jurisdiction", "reader", "lat", "lon", "heading_deg", "speed_kmh",
  "confidence", "make", "model", "color", "body", "year", "event_id", "alternates",
];

function lines(path) {
  return readFileSync(path, "utf8").split("\n").filter((line) => line !== "" && line[0] !== "#");
}

export function task(arguments_) {
  const [csv, work, plateFile, placeFile, threads = "2"] = arguments_;
  if (placeFile === undefined) {
    process.stderr.write("usage: CSV WORK_DIRECTORY PLATES PLACES [THREADS]\n");
    process.exit(2);
  }
  const plates = lines(plateFile);
  const places = lines(placeFile).map((line) => {
    const [lat, lon, from_ms, to_ms] = line.split(/\s+/).map(Number);
    return { lat, lon, from_ms, to_ms };
  });
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  return {
    csv: resolve(csv),
    work: resolve(work),
    plates,
    places,
    threads: Number(threads),
    editPlate: plates.find((plate) => /^[A-Z0-9]{7}$/.test(plate)) ?? plates[0],
    hasEpochTimes: hasEpochTimes(csv),
  };
}

/* Whether captured_at is a number of milliseconds; RFC 3339 otherwise. */
function hasEpochTimes(csv) {
  const head = Buffer.alloc(4096);
  const file = openSync(csv);
  const count = readSync(file, head, 0, head.length, 0);
  closeSync(file);
  const [names, row] = head.toString("utf8", 0, count).split(/\r?\n/);
  if (names !== COLUMNS.join(",")) throw new Error(`${csv}: not the native CSV header: ${names}`);
  return /^\d+$/.test(row.split(",")[0]);
}

/* A literal of standard SQL. Plates and paths are from outside: a quote must not end the text. */
export function literal(text) {
  return `'${String(text).replaceAll("'", "''")}'`;
}

export function bytesUnder(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + bytesUnder(join(path, name)), 0);
}

/* Grid of 0.01 degrees: about 1.1 km high. */
export const CELL_SQL = (lat, lon) =>
  `CAST(floor((${lat} + 90) * 100) * 36000 + floor((${lon} + 180) * 100) AS INTEGER)`;

export function cellsAround({ lat, lon }) {
  const reach = (PLACE_RADIUS_M / EARTH_RADIUS_M) * (180 / Math.PI);
  const across = reach / Math.cos(((Math.abs(lat) + reach) * Math.PI) / 180);
  const grid = (degrees, zero) => Math.floor((degrees + zero) * 100);
  const cells = [];
  for (let row = grid(lat - reach, 90); row <= grid(lat + reach, 90); row++)
    for (let column = grid(lon - across, 180); column <= grid(lon + across, 180); column++)
      cells.push(row * 36000 + column);
  return cells;
}

/* Great-circle distance in metres from a place to columns lat_e7 and lon_e7. */
export function distanceSql({ lat, lon }) {
  const north = "(lat_e7 / 1e7)", east = "(lon_e7 / 1e7)";
  return (
    `${2 * EARTH_RADIUS_M} * asin(sqrt(pow(sin(radians(${north} - ${lat}) / 2), 2) + ` +
    `cos(radians(${lat})) * cos(radians(${north})) * pow(sin(radians(${east} - ${lon}) / 2), 2)))`
  );
}

/* Look-alikes made equal, as platebase's patterns do: 0OQD, 1I, 8B, 5S, 2Z. */
export const LOOKALIKE_FROM = "OQDIBSZ";
export const LOOKALIKE_TO = "0001852";
export function foldLookalikes(plate) {
  return [...plate].map((c) => LOOKALIKE_TO[LOOKALIKE_FROM.indexOf(c)] ?? c).join("");
}

export async function timed(work) {
  const from = process.hrtime.bigint();
  const result = await work();
  return { result, s: Number(process.hrtime.bigint() - from) / 1e9 };
}

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0
    ? null
    : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

const round = (value, decimals) => Number(value.toFixed(decimals));

/*
 * Asks everything of an engine and prints the object. engine has: name, version, reads, load_s,
 * merged, bytes, and the questions history(plate), like(), edit(), place(place), which return how
 * many rows they brought. `notes` is any text.
 */
export async function ask(todo, engine) {
  const history = [], place = [], like = [], edit = [];
  let historyRows = 0, placeRows = 0, likePlates = 0, editPlates = 0;

  for (const plate of todo.plates) {
    const { result, s } = await timed(() => engine.history(plate));
    historyRows += result;
    history.push(s * 1e6);
  }
  for (let run = 0; run < SCAN_RUNS; run++) {
    const { result, s } = await timed(() => engine.like());
    likePlates = result;
    like.push(s * 1e3);
  }
  for (let run = 0; run < SCAN_RUNS; run++) {
    const { result, s } = await timed(() => engine.edit());
    editPlates = result;
    edit.push(s * 1e3);
  }
  for (const each of todo.places) {
    const { result, s } = await timed(() => engine.place(each));
    placeRows += result;
    place.push(s * 1e3);
  }

  const answer = {
    engine: engine.name,
    version: engine.version,
    reads: engine.reads,
    load_s: round(engine.load_s, 3),
    load_reads_per_s: Math.round(engine.reads / engine.load_s),
    merged: engine.merged,
    bytes: engine.bytes,
    bytes_per_read: round(engine.bytes / engine.reads, 3),
    history_queries: history.length,
    history_rows: historyRows,
    history_p50_us: round(quantile(history, 0.5), 1),
    history_p99_us: round(quantile(history, 0.99), 1),
    like_plates: likePlates,
    like_ms: round(quantile(like, 0.5), 3),
    edit_plates: editPlates,
    edit_ms: round(quantile(edit, 0.5), 3),
    place_queries: place.length,
    place_rows: placeRows,
    place_ms: round(quantile(place, 0.5), 3),
    place_p99_ms: round(quantile(place, 0.99), 3),
    peak_rss_mb: round(process.resourceUsage().maxRSS / 1024, 1),
    ...engine.extra,
    notes: engine.notes ?? "",
  };
  process.stdout.write(JSON.stringify(answer) + "\n");
}
