/*
 * Chooses what to ask: plates evenly among the distinct ones, places and days evenly among reads.
 *
 * usage: node sample.mjs CSV PLATES PLACES [COUNT]
 *
 * A value is chosen where its hash is among the least, so that the same file gives the same sample.
 */
import { createReadStream, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [csv, plateFile, placeFile, count = "1000"] = process.argv.slice(2);
if (placeFile === undefined) {
  process.stderr.write("usage: sample.mjs CSV PLATES PLACES [COUNT]\n");
  process.exit(2);
}
const DAY_MS = 86400000;

function hash(text) {
  let value = 2166136261;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16777619);
  value = Math.imul(value ^ (value >>> 15), 2246822519);
  return (value ^ (value >>> 13)) >>> 0;
}

/* Keeps the `size` values of least hash, each once. */
class Sample {
  constructor(size) {
    this.size = size;
    this.kept = new Map();
    this.limit = 2 ** 32;
  }
  offer(key, value) {
    const rank = hash(key);
    if (rank >= this.limit || this.kept.has(key)) return;
    this.kept.set(key, { rank, value });
    if (this.kept.size >= 2 * this.size) this.shrink();
  }
  shrink() {
    const sorted = [...this.kept].sort((a, b) => a[1].rank - b[1].rank).slice(0, this.size);
    this.kept = new Map(sorted);
    if (sorted.length === this.size) this.limit = sorted[this.size - 1][1].rank;
    return sorted.map(([, { value }]) => value);
  }
}

const plates = new Sample(Number(count));
const places = new Sample(Math.ceil(Number(count) / 2));
let row = 0;
for await (const line of createInterface({ input: createReadStream(csv) })) {
  if (row++ === 0) continue;
  const [at, plate, , , lat, lon] = line.split(",", 6);
  plates.offer(plate, plate);
  if (lat === "" || hash(`row ${row}`) >= places.limit) continue;
  const ms = /^\d+$/.test(at) ? Number(at) : Date.parse(at.replace("-00:00", "Z"));
  const day = Math.floor(ms / DAY_MS) * DAY_MS;
  places.offer(`row ${row}`, `${lat} ${lon} ${day} ${day + DAY_MS}`);
}
writeFileSync(plateFile, plates.shrink().join("\n") + "\n");
writeFileSync(placeFile, places.shrink().join("\n") + "\n");
