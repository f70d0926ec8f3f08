/*
 * Instead: what does a command's work while a service writes to the data directory.
 *
 * Threads: any.
 */
#ifndef PB_CLI_INSTEAD_H
#define PB_CLI_INSTEAD_H

#define PB_CLI_INSTEAD_BYTES 128u

/*
 * Says what to do in place of the command ("account approve"): the endpoint that does the same, as
 * /openapi.json has it, or what the service does by itself; that nothing does.
 */
void pb_cli_instead(const char *command, char ret_text[PB_CLI_INSTEAD_BYTES]);

#endif
