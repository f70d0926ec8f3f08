/*
 * Audit commands: what their files share. cmd_audit.c has the table; audit_public.c what anybody
 * may do with public files; audit_private.c what opens secrets, each look leaving a leaf;
 * audit_outside.c witnesses and copies of checkpoints.
 *
 * Threads: the main thread.
 */
#ifndef PB_CLI_AUDIT_H
#define PB_CLI_AUDIT_H

#include "audit/audit.h"
#include "cli/cli.h"

int pb_cli_audit_keys(struct pb_cli *cli, int argc, char **argv);
int pb_cli_audit_verify(struct pb_cli *cli, int argc, char **argv);
int pb_cli_audit_verify_proof(struct pb_cli *cli, int argc, char **argv);

int pb_cli_audit_copies(struct pb_cli *cli, int argc, char **argv);
int pb_cli_audit_witness(struct pb_cli *cli, int argc, char **argv);

int pb_cli_audit_destroy_expired(struct pb_cli *cli, int argc, char **argv);
int pb_cli_audit_export(struct pb_cli *cli, int argc, char **argv);
int pb_cli_audit_open(struct pb_cli *cli, int argc, char **argv);
int pb_cli_audit_prove(struct pb_cli *cli, int argc, char **argv);
int pb_cli_audit_restart(struct pb_cli *cli, int argc, char **argv);
int pb_cli_audit_review(struct pb_cli *cli, int argc, char **argv);
int pb_cli_audit_search(struct pb_cli *cli, int argc, char **argv);

#endif
