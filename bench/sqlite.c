/*
 * SQLite: one table and two indexes, (plate, captured_at) and (cell, captured_at).
 *
 * usage: bench_sqlite CSV WORK_DIRECTORY PLATES PLACES
 *
 * The best case of a bulk load: one transaction without a journal, the indexes made afterwards,
 * then one sync. Loads at most READS_MAX reads and says so: loading slows down as it grows. There
 * is no edit distance in SQLite, so edit_ms is null. Prints the same object as the other engines
 * (common.mjs).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READS_MAX 5000000
#define LINE_BYTES 4096
#define COLUMNS 16
#define QUERIES_MAX 10000
#define SCAN_RUNS 5
#define EARTH_RADIUS_M 6371008.8
#define PLACE_RADIUS_M 1000.0

static const char header[] = "captured_at,plate,jurisdiction,reader,lat,lon,heading_deg,speed_kmh,"
                             "confidence,make,model,color,body,year,event_id,alternates";

static _Noreturn void
die(const char *what)
{
    fprintf(stderr, "sqlite: %s\n", what);
    exit(1);
}

static void
check(sqlite3 *db, int code)
{
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        die(sqlite3_errmsg(db));
}

static void
run(sqlite3 *db, const char *sql)
{
    check(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static sqlite3_stmt *
prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    check(db, sqlite3_prepare_v2(db, sql, -1, &statement, NULL));
    return statement;
}

static double
now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- loading ---- */

/* RFC 3339 or milliseconds; to milliseconds. */
static int64_t
parse_time(const char *text)
{
    struct tm tm = { .tm_isdst = 0 };
    int milliseconds = 0, hours = 0, minutes = 0;
    char sign = '+';
    int64_t zone_s;

    if (strchr(text, 'T') == NULL)
        return strtoll(text, NULL, 10);
    if (sscanf(text, "%d-%d-%dT%d:%d:%d.%3d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &milliseconds) < 6)
        die("a time that is none");
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    text += strlen(text);
    if (text[-1] != 'Z' && sscanf(text - 6, "%c%d:%d", &sign, &hours, &minutes) != 3)
        die("a time without zone");
    zone_s = (hours * 60 + minutes) * INT64_C(60) * (sign == '-' ? -1 : 1);
    return ((int64_t)timegm(&tm) - zone_s) * 1000 + milliseconds;
}

/* Cuts a row in place. The feeds of `platebase generate` never need quotes. */
static void
cut(char *line, char *cells[COLUMNS])
{
    for (int i = 0; i < COLUMNS; i++) {
        cells[i] = line;
        line += strcspn(line, ",\r\n");
        if (*line == '\0' && i + 1 < COLUMNS)
            die("a row with too few cells");
        *line++ = '\0';
        if (strchr(cells[i], '"') != NULL)
            die("a quoted cell: not a generated feed");
    }
}

static int64_t
cell_of(double lat, double lon)
{
    return (int64_t)floor((lat + 90) * 100) * 36000 + (int64_t)floor((lon + 180) * 100);
}

static void
bind_number(sqlite3_stmt *insert, int column, const char *cell)
{
    if (*cell == '\0')
        sqlite3_bind_null(insert, column);
    else
        sqlite3_bind_double(insert, column, strtod(cell, NULL));
}

static void
insert_row(sqlite3 *db, sqlite3_stmt *insert, char *cells[COLUMNS])
{
    sqlite3_bind_int64(insert, 1, parse_time(cells[0]));
    for (int i = 1; i < COLUMNS; i++) {
        if (i >= 4 && i <= 8)
            bind_number(insert, i + 1, cells[i]);
        else if (*cells[i] == '\0')
            sqlite3_bind_null(insert, i + 1);
        else if (i == 13)
            sqlite3_bind_int(insert, i + 1, (int)strtol(cells[i], NULL, 10));
        else
            sqlite3_bind_text(insert, i + 1, cells[i], -1, SQLITE_STATIC);
    }
    if (*cells[4] == '\0')
        sqlite3_bind_null(insert, COLUMNS + 1);
    else
        sqlite3_bind_int64(insert, COLUMNS + 1,
                           cell_of(strtod(cells[4], NULL), strtod(cells[5], NULL)));
    check(db, sqlite3_step(insert));
    sqlite3_reset(insert);
}

static int64_t
load(sqlite3 *db, const char *csv)
{
    FILE *file = fopen(csv, "r");
    char line[LINE_BYTES];
    sqlite3_stmt *insert;
    int64_t reads = 0;

    if (file == NULL || fgets(line, sizeof(line), file) == NULL)
        die("no CSV file");
    if (strncmp(line, header, sizeof(header) - 1) != 0)
        die("not the native CSV header");
    run(db, "CREATE TABLE reads (captured_at INTEGER, plate TEXT, jurisdiction TEXT, reader TEXT, "
            "lat REAL, lon REAL, heading_deg REAL, speed_kmh REAL, confidence REAL, make TEXT, "
            "model TEXT, color TEXT, body TEXT, year INTEGER, event_id TEXT, alternates TEXT, "
            "cell INTEGER)");
    run(db, "BEGIN");
    insert = prepare(db, "INSERT INTO reads VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    while (reads < READS_MAX && fgets(line, sizeof(line), file) != NULL) {
        char *cells[COLUMNS];

        cut(line, cells);
        insert_row(db, insert, cells);
        reads++;
    }
    sqlite3_finalize(insert);
    fclose(file);
    run(db, "COMMIT");
    run(db, "CREATE INDEX by_plate ON reads (plate, captured_at)");
    run(db, "CREATE INDEX by_place ON reads (cell, captured_at)");
    run(db, "ANALYZE");
    return reads;
}

static void
sync_file(const char *path)
{
    int file = open(path, O_RDONLY);

    if (file < 0 || fsync(file) != 0)
        die("cannot sync");
    close(file);
}

/* ---- asking ---- */

struct timings {
    double s[QUERIES_MAX];
    int count;
    int64_t rows;
};

static int
compare(const void *a, const void *b)
{
    double first, second;

    memcpy(&first, a, sizeof(first));
    memcpy(&second, b, sizeof(second));
    return first < second ? -1 : first > second;
}

static double
quantile(struct timings *timings, double share)
{
    int at = (int)((double)timings->count * share);

    if (timings->count == 0)
        return 0;
    qsort(timings->s, (size_t)timings->count, sizeof(timings->s[0]), compare);
    return timings->s[at < timings->count ? at : timings->count - 1];
}

/* Steps through all rows and touches every column. */
static int64_t
drain(sqlite3 *db, sqlite3_stmt *statement)
{
    int64_t rows = 0;
    int code;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            (void)sqlite3_column_text(statement, i);
        rows++;
    }
    check(db, code);
    sqlite3_reset(statement);
    return rows;
}

static void
ask_histories(sqlite3 *db, const char *path, struct timings *timings)
{
    FILE *file = fopen(path, "r");
    char line[LINE_BYTES];
    sqlite3_stmt *ask =
        prepare(db, "SELECT * FROM reads WHERE plate = ? ORDER BY captured_at DESC");

    if (file == NULL)
        die("no plates");
    while (timings->count < QUERIES_MAX && fgets(line, sizeof(line), file) != NULL) {
        double from_s = now_s();

        line[strcspn(line, "\r\n")] = '\0';
        sqlite3_bind_text(ask, 1, line, -1, SQLITE_STATIC);
        timings->rows += drain(db, ask);
        timings->s[timings->count++] = now_s() - from_s;
    }
    sqlite3_finalize(ask);
    fclose(file);
}

static void
ask_like(sqlite3 *db, struct timings *timings)
{
    sqlite3_stmt *ask = prepare(db, "SELECT plate, jurisdiction, count(*) FROM reads "
                                    "WHERE plate LIKE '_AB%12' GROUP BY plate, jurisdiction");

    for (int run_number = 0; run_number < SCAN_RUNS; run_number++) {
        double from_s = now_s();

        timings->rows = drain(db, ask);
        timings->s[timings->count++] = now_s() - from_s;
    }
    sqlite3_finalize(ask);
}

static void
ask_place(sqlite3 *db, double lat, double lon, int64_t from_ms, int64_t to_ms,
          struct timings *timings)
{
    double reach = PLACE_RADIUS_M / EARTH_RADIUS_M * 180 / M_PI;
    double across = reach / cos((fabs(lat) + reach) * M_PI / 180);
    char sql[LINE_BYTES];
    int length = snprintf(sql, sizeof(sql), "SELECT * FROM reads WHERE cell IN (-1");
    double from_s = now_s();
    sqlite3_stmt *ask;

    for (int64_t row = (int64_t)floor((lat - reach + 90) * 100);
         row <= (int64_t)floor((lat + reach + 90) * 100); row++)
        for (int64_t column = (int64_t)floor((lon - across + 180) * 100);
             column <= (int64_t)floor((lon + across + 180) * 100); column++)
            length += snprintf(sql + length, sizeof(sql) - (size_t)length, ",%" PRId64,
                               row * 36000 + column);
    snprintf(sql + length, sizeof(sql) - (size_t)length,
             ") AND captured_at >= %" PRId64 " AND captured_at < %" PRId64
             " AND %.1f * asin(sqrt(pow(sin(radians(lat - %.7f) / 2), 2) + cos(radians(%.7f)) * "
             "cos(radians(lat)) * pow(sin(radians(lon - %.7f) / 2), 2))) <= %.1f "
             "ORDER BY captured_at DESC LIMIT 100",
             from_ms, to_ms, 2 * EARTH_RADIUS_M, lat, lat, lon, PLACE_RADIUS_M);
    ask = prepare(db, sql);
    timings->rows += drain(db, ask);
    timings->s[timings->count++] = now_s() - from_s;
    sqlite3_finalize(ask);
}

static void
ask_places(sqlite3 *db, const char *path, struct timings *timings)
{
    FILE *file = fopen(path, "r");
    double lat, lon;
    int64_t from_ms, to_ms;

    if (file == NULL)
        die("no places");
    while (timings->count < QUERIES_MAX && fscanf(file, "%lf %lf %" SCNd64 " %" SCNd64, &lat, &lon,
                                                  &from_ms, &to_ms) == 4)
        ask_place(db, lat, lon, from_ms, to_ms, timings);
    fclose(file);
}

int
main(int argc, char **argv)
{
    static struct timings history, like, place;
    char path[LINE_BYTES];
    struct rusage usage;
    struct stat file;
    sqlite3 *db = NULL;
    int64_t reads;
    double from_s, load_s;

    if (argc < 5)
        die("usage: bench_sqlite CSV WORK_DIRECTORY PLATES PLACES");
    mkdir(argv[2], 0777);
    snprintf(path, sizeof(path), "%s/reads.sqlite", argv[2]);
    unlink(path);
    check(db, sqlite3_open(path, &db));
    run(db, "PRAGMA page_size = 8192");
    run(db, "PRAGMA journal_mode = OFF");
    run(db, "PRAGMA synchronous = OFF");
    run(db, "PRAGMA cache_size = -1000000");
    run(db, "PRAGMA temp_store = MEMORY");

    from_s = now_s();
    reads = load(db, argv[1]);
    sync_file(path);
    load_s = now_s() - from_s;

    ask_histories(db, argv[3], &history);
    ask_like(db, &like);
    ask_places(db, argv[4], &place);
    if (stat(path, &file) != 0 || getrusage(RUSAGE_SELF, &usage) != 0)
        die("cannot tell the size");
    printf("{\"engine\":\"sqlite\",\"version\":\"%s\",\"reads\":%" PRId64 ",\"load_s\":%.3f,"
           "\"load_reads_per_s\":%.0f,\"merged\":true,\"bytes\":%lld,\"bytes_per_read\":%.3f,"
           "\"history_queries\":%d,\"history_rows\":%" PRId64 ",\"history_p50_us\":%.1f,"
           "\"history_p99_us\":%.1f,\"like_plates\":%" PRId64 ",\"like_ms\":%.3f,"
           "\"edit_plates\":null,\"edit_ms\":null,\"place_queries\":%d,\"place_rows\":%" PRId64
           ",\"place_ms\":%.3f,\"place_p99_ms\":%.3f,\"peak_rss_mb\":%.1f,"
           "\"notes\":\"at most %d reads; indexes made after loading, no journal\"}\n",
           sqlite3_libversion(), reads, load_s, (double)reads / load_s, (long long)file.st_size,
           (double)file.st_size / (double)reads, history.count, history.rows,
           quantile(&history, 0.5) * 1e6, quantile(&history, 0.99) * 1e6, like.rows,
           quantile(&like, 0.5) * 1e3, place.count, place.rows, quantile(&place, 0.5) * 1e3,
           quantile(&place, 0.99) * 1e3, (double)usage.ru_maxrss / 1024, READS_MAX);
    sqlite3_close(db);
    return 0;
}
