/*
 * transparency: figures of an agency, by month.
 */
#include <inttypes.h>

#include <platebase/plate.h>

#include "base/arena.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "inquiry/figures.h"

struct transparency_args {
    const char *data, *agency, *person, *month;
    bool is_json;
};

static void
put_line(struct pb_cli_out *out, const char *what, uint64_t count)
{
    if (count == PB_FIGURE_HIDDEN)
        pb_cli_put_format(out, "  %-36s fewer than %u\n", what, PB_FIGURES_SMALL);
    else
        pb_cli_put_format(out, "  %-36s %" PRIu64 "\n", what, count);
}

/* Ids are letters, digits and a few marks. */
static void
put_named(struct pb_cli_out *out, struct pb_str name, uint64_t count)
{
    char text[40];
    struct pb_text_out cut = pb_text_out(text, sizeof(text) - 1);

    for (uint32_t i = 0; i < name.bytes && !cut.is_cut; i++)
        pb_put_char(&cut, name.text[i]);
    *cut.at = '\0';
    put_line(out, text, count);
}

static void
put_reads(struct pb_cli_out *out, const struct pb_figures *figures)
{
    uint64_t received = 0;

    pb_cli_put_text(out, "reads\n");
    for (uint32_t i = 0; i < figures->day_count; i++)
        received += figures->received[i];
    if (figures->is_received_known) {
        put_line(out, figures->is_received_in_part ? "received (counted in part)" : "received",
                 received);
        put_line(out, "held now", figures->held);
    } else {
        pb_cli_put_text(out, "  how many came in is not known\n");
    }
    put_line(out, "removed", figures->numbers[PB_FIGURE_REMOVED]);
    put_line(out, "readers now", figures->readers);
    for (uint32_t i = 0; i < figures->retention_count; i++) {
        const struct pb_figure_retention *one = &figures->retention[i];

        if (one->days < 0)
            pb_cli_put_format(out, "  of %s kept without limit\n",
                              pb_jurisdiction_name(one->capture_state));
        else
            pb_cli_put_format(out, "  of %s kept for %" PRId64 " days\n",
                              pb_jurisdiction_name(one->capture_state), one->days);
    }
}

static void
put_text(struct pb_cli_out *out, const struct pb_figures *figures)
{
    char month[PB_TIME_BYTES_MAX];

    (void)pb_time_format(pb_time_month_start_us(figures->month), 0, month);
    month[7] = '\0';
    pb_cli_put_bytes(out, figures->agency.text, figures->agency.bytes);
    pb_cli_put_format(out, " in %s%s\n", month, figures->is_over ? "" : ", which goes on");
    put_reads(out, figures);
    pb_cli_put_text(out, "inquiries\n");
    put_line(out, "allowed", figures->inquiries);
    for (uint32_t i = 0; i < figures->purpose_count; i++)
        put_named(out, figures->purposes[i].name, figures->purposes[i].count);
    for (unsigned i = PB_FIGURE_DENIED; i <= PB_FIGURE_CORRECTIONS; i++)
        put_line(out, pb_figure_name(i), figures->numbers[i]);
    pb_cli_put_text(out, "shared with\n");
    for (uint32_t i = 0; i < figures->partner_count; i++) {
        pb_cli_put_text(out, "  may ask: ");
        pb_cli_put_bytes(out, figures->partners[i].agency.text, figures->partners[i].agency.bytes);
        pb_cli_put_text(out, "\n");
    }
    for (uint32_t i = 0; i < figures->shared_count; i++)
        put_named(out, figures->shared[i].name, figures->shared[i].count);
    pb_cli_put_text(out, "reviews\n");
    put_line(out, "closed", figures->numbers[PB_FIGURE_REVIEWED]);
    put_line(out, "misuse found", figures->numbers[PB_FIGURE_MISUSE]);
}

static enum pb_status
tell(struct pb_cli *cli, const struct transparency_args *args, struct pb_site *site, int32_t month,
     struct pb_error *error)
{
    struct pb_figures figures;
    struct pb_arena arena;
    struct pb_str text;
    enum pb_status status;

    pb_arena_init(&arena, cli->env, 16384);
    status = pb_figures_read(site, pb_str_from(args->person), pb_str_from(args->agency), month,
                             &arena, &figures, error);
    if (status == PB_OK && args->is_json)
        status = pb_figures_to_json(&figures, &arena, &text);
    if (status == PB_OK && args->is_json) {
        pb_cli_put_bytes(cli->out, text.text, text.bytes);
        pb_cli_put_text(cli->out, "\n");
    } else if (status == PB_OK) {
        put_text(cli->out, &figures);
    }
    pb_arena_clear(&arena);
    return status;
}

int
pb_cmd_transparency(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_ASK };
    struct transparency_args args = { .data = NULL };
    const struct pb_cli_option options[] = {
        { .name = "agency",
          .placeholder = "ID",
          .help = "whose figures; with --person that person's agency by default",
          .example = "town-police",
          .text = &args.agency },
        { .name = "month",
          .placeholder = "YYYY-MM",
          .help = "which month; the last that is over by default",
          .text = &args.month },
        { .name = "person",
          .placeholder = "ID",
          .help = "an auditor of the agency, who sees every count, and the month that goes on; "
                  "that they looked is on record",
          .text = &args.person },
        { .name = "json", .help = "one JSON object", .flag = &args.is_json },
    };
    int32_t month = pb_time_month(pb_now_us(cli->env)) - 1;
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    int first, exit_code = PB_CLI_EXIT_OK;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Tells what an agency did in a month, in numbers: reads received, held and "
                      "removed, inquiries by purpose, denials, partners and what they were given, "
                      "how long reads are kept, misuse found. Without --person as anybody may see "
                      "it, of an agency that publishes its figures: counts of people's doings "
                      "from 1 to 4 are then told as fewer than 5.");
    pb_cli_usage_add_data(&usage, &args.data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (args.agency == NULL && args.person == NULL)
        return pb_cli_usage_error(cli, "say whose figures: --agency ID, or --person ID");
    if (args.month != NULL && !pb_figures_month(pb_str_from(args.month), &month))
        return pb_cli_usage_error(cli, "--month is a year and a month, such as 2026-06");
    if (pb_cli_open_site(cli, args.data, &site_options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    status = tell(cli, &args, site, month, &error);
    if (status != PB_OK)
        exit_code = pb_cli_failure(cli, status, &error);
    return pb_cli_close_site(cli, site, exit_code);
}
