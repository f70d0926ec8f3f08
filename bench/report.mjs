/*
 * Makes the table of docs/benchmarks.md from what the engines printed.
 *
 * usage: node report.mjs RESULTS.json [PAGE.md]
 *
 * RESULTS.json has one object a line. Prints Markdown; where PAGE is given and has the two marker
 * lines, what is between them is replaced.
 */
import { readFileSync, writeFileSync } from "node:fs";

const BEGIN = "<!-- bench: peers begin -->", END = "<!-- bench: peers end -->";
const [resultFile, page] = process.argv.slice(2);
const engines = readFileSync(resultFile, "utf8").split("\n").filter(Boolean).map((l) => JSON.parse(l));
const own = engines.find((each) => each.engine === "platebase");

/* key, words, decimals, whether more is better */
const FIGURES = [
  ["load_reads_per_s", "load, reads/s", 0, true],
  ["bytes_per_read", "bytes/read", 1, false],
  ["history_p50_us", "history p50, µs", 1, false],
  ["history_p99_us", "history p99, µs", 1, false],
  ["like_ms", "`_AB%12`, ms", 2, false],
  ["edit_ms", "2 edits, ms", 2, false],
  ["place_ms", "place p50, ms", 2, false],
  ["peak_rss_mb", "memory, MiB", 0, false],
];
/* What must be equal where the reads are. */
const CHECKS = ["history_rows", "like_plates", "edit_plates", "place_rows"];

const number = (value, decimals) =>
  value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });

function cell(engine, [key, , decimals, isMoreBetter]) {
  const value = engine[key];
  if (value === null || value === undefined) return "-";
  if (own === undefined || engine === own || !(own[key] > 0)) return number(value, decimals);
  const ratio = isMoreBetter ? own[key] / value : value / own[key];
  return `${number(value, decimals)} (${ratio >= 9.95 ? number(ratio, 0) : ratio.toFixed(1)}×)`;
}

const rows = [
  `| store | reads | ${FIGURES.map(([, words]) => words).join(" | ")} |`,
  `|---|---|${FIGURES.map(() => "---").join("|")}|`,
  ...engines.map((engine) => {
    const figures = FIGURES.map((figure) => cell(engine, figure)).join(" | ");
    return `| ${engine.engine} ${engine.version} | ${number(engine.reads / 1e6, 1)} M | ${figures} |`;
  }),
];
const notes = engines.filter((each) => each.notes).map((each) => `- ${each.engine}: ${each.notes}.`);
const differences = engines
  .filter((each) => own !== undefined && each.reads === own.reads)
  .flatMap((each) =>
    CHECKS.filter((key) => each[key] !== null && each[key] !== undefined && each[key] !== own[key])
      .map((key) => `- **${each.engine} differs**: ${key} ${each[key]}, platebase ${own[key]}.`));
const text = [
  ...rows, "",
  "In brackets: how many times better Platebase is (below 1: worse).", "",
  ...notes, ...differences,
].join("\n").trimEnd() + "\n";

process.stdout.write(text);
if (page !== undefined) {
  const old = readFileSync(page, "utf8");
  const begin = old.indexOf(BEGIN), end = old.indexOf(END);
  if (begin === -1 || end < begin) {
    process.stderr.write(`report: ${page} has no marker lines\n`);
    process.exit(1);
  }
  writeFileSync(page, `${old.slice(0, begin + BEGIN.length)}\n${text}${old.slice(end)}`);
}
if (differences.length > 0) process.exitCode = 3;
