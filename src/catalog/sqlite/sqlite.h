/*
 * SQLite behind catalog/sql.h.
 *
 * One file, in write-ahead mode with synchronous=FULL: a commit is on disk when it returns, and who
 * reads never waits for who writes. SQLite's own memory comes from its own allocator, which is one
 * for the whole process and can be set only before its first use; so it is not taken from pb_env.
 * A test makes this interface fail instead (tests/catalog/fault_sql.h).
 */
#ifndef PB_CATALOG_SQLITE_SQLITE_H
#define PB_CATALOG_SQLITE_SQLITE_H

#include "catalog/sql.h"

#define PB_SQLITE_APPLICATION_ID 0x50426361 /* "PBca", in the file's header */

const struct pb_sql_ops *pb_sqlite_ops(void);

#endif
