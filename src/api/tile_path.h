/*
 * Tile paths: the only names below a log's public side that can be asked for.
 *
 * Threads: everything here is pure.
 * Source:  c2sp.org/tlog-tiles: <L>/<N>[.p/<W>] and entries/<N>[.p/<W>].
 */
#ifndef PB_API_TILE_PATH_H
#define PB_API_TILE_PATH_H

#include <stdbool.h>

#include <platebase/read.h>

#define PB_TILE_GROUPS_MAX 6u      /* of three digits: indices below 10^18 */
#define PB_TILE_PATH_BYTES_MAX 48u /* of the longest that is one */

/* Is it a path behind "tile/" as the specification writes it, in its one way? */
bool pb_api_tile_path_is_valid(struct pb_str path);

/* Is it a log's id: [A-Za-z0-9][A-Za-z0-9._:-]*, at most PB_CATALOG_ID_BYTES_MAX? */
bool pb_api_tile_log_is_valid(struct pb_str log);

#endif
