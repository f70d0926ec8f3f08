/* OpenALPR and Rekor Scout messages. */
#include "ingest/collector.h"

static struct collector collector;

#define FRAME "\"epoch_time\":1772971200000,\"uuid\":\"u-1\",\"camera_id\":3,\"site_id\":\"gate\""
#define READ_HEAD "\"captured_at\":\"2026-03-08T12:00:00.000-00:00\",\"reader\":\"gate-cam3\""
#define READ_IMAGE "\"images\":[{\"kind\":\"scene\",\"ref\":\"openalpr:u-1\"}]}\n"

static void
parse(const void *text, size_t bytes, const struct pb_ingest_defaults *defaults)
{
    collector_init(&collector);
    assert_int_equal(PB_OK, collect(&collector, PB_FORMAT_OPENALPR, text, bytes, defaults));
}

static void
parse_file(const char *path, const struct pb_ingest_defaults *defaults)
{
    size_t count = 0;
    uint8_t *bytes = file_bytes(path, &count);

    if (bytes == NULL)
        fail_msg("cannot read %s", path);
    assert_int_equal(PB_FORMAT_OPENALPR, pb_format_detect(bytes, count));
    parse(bytes, count, defaults);
    free(bytes);
}

static void
frames_become_a_read_for_each_plate(void **state)
{
    static const struct {
        const char *text, *reads, *rejections;
    } cases[] = {
        { "{\"data_type\":\"alpr_results\"," FRAME ",\"results\":[]}", "", "" },
        { "{\"data_type\":\"alpr_results\"," FRAME ",\"results\":[{\"plate\":\"AB12\","
          "\"confidence\":91.609123,\"plate_index\":0,\"region\":\"us-ga\",\"candidates\":["
          "{\"plate\":\"AB12\",\"confidence\":91.609123},{\"plate\":\"A812\",\"confidence\":"
          "81.2},{\"plate\":\"a8-12\",\"confidence\":80},{\"plate\":\"\",\"confidence\":1},"
          "{\"plate\":\"AB1Z\",\"confidence\":101},{\"plate\":\"UNKNOWN\"},"
          "{\"plate\":\"A\\u0001\"},7]}]}",
          "{\"plate\":\"AB12\",\"jurisdiction\":\"US-GA\"," READ_HEAD ",\"confidence\":91.609123,"
          "\"confidence_scale\":\"percent\",\"event_id\":\"u-1#0\",\"alternates\":[{\"plate\":"
          "\"A812\",\"confidence\":81.2},{\"plate\":\"AB1Z\"}]," READ_IMAGE,
          "" },
        { "{" FRAME ",\"img_width\":1,\"img_width\":1,\"results\":[{\"plate\":\"AB12\","
          "\"region\":\"\"},{\"plate\":\"unknown\"},{\"plate\":\"AB13\",\"plate_index\":7}]}",
          "{\"plate\":\"AB12\"," READ_HEAD ",\"event_id\":\"u-1#0\"," READ_IMAGE
          "{\"plate\":\"AB13\"," READ_HEAD ",\"event_id\":\"u-1#7\"," READ_IMAGE,
          "1 plate says that no plate was read\n" },
        { "{\"epoch_time\":1772971200,\"camera_id\":3,\"results\":[{\"plate\":\"AB12\"}]}",
          "{\"plate\":\"AB12\",\"captured_at\":\"2026-03-08T12:00:00.000-00:00\",\"reader\":"
          "\"openalpr-cam3\"}\n",
          "" },
        { "{\"captured_at\":\"2026-03-08T12:00:00Z\",\"camera_id\":3,\"file\":\"a.jpg\",\"truth\":"
          "\"AB13\",\"results\":[{\"plate\":\"AB12\"}]}",
          "{\"plate\":\"AB12\",\"captured_at\":\"2026-03-08T12:00:00.000Z\",\"reader\":"
          "\"openalpr-cam3\",\"images\":[{\"kind\":\"scene\",\"ref\":\"a.jpg\"}]}\n",
          "" },
        { "{\"results\":[{\"plate\":\"AB12\"}]}", "", "1 captured_at is missing\n" },
        { "{\"epoch_time\":\"later\",\"results\":[{\"plate\":\"AB12\"}]}", "",
          "1 captured_at is not a time from 1970 to 2199\n" },
        { "{\"epoch_time\":true,\"results\":[{\"plate\":\"AB12\"}]}", "",
          "1 captured_at is not a time from 1970 to 2199\n" },
        { "{\"epoch_time\":1772971200,\"results\":[{\"plate\":\"AB12\"}]}", "",
          "1 reader is empty\n" },
        { "{" FRAME ",\"results\":[{\"plate\":\"AB12\",\"confidence\":-1}]}", "",
          "1 confidence is not from 0 to 100\n" },
        { "{" FRAME ",\"results\":[1,{\"plate\":null},{}]}", "",
          "1 plate says that no plate was read\n1 plate says that no plate was read\n"
          "1 plate says that no plate was read\n" },
        { "{" FRAME ",\"results\":{}}", "", "1 results is missing or not an array\n" },
        { "{\"data_type\":\"heartbeat\"}\n{\"data_type\":\"vehicle\",\"vehicle\":{}}\n"
          "{\"openalpr_webhook\":\"test\"}",
          "", "" },
        { "{\"data_type\":\"alpr_alert\"}", "", "1 group is missing in an alert\n" },
        { "{\"data_type\":\"other\"}", "", "1 data_type is not one that is known\n" },
        { "{\"data_type\":7}", "", "1 data_type is not a string\n" },
        { "{\"data_type\":null}", "", "1 data_type is missing\n" },
        { "[]", "", "" },
        { "7", "", "1 not an object\n" },
    };
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse(cases[i].text, strlen(cases[i].text), &defaults);
        assert_string_equal(cases[i].rejections, collector.rejections);
        assert_string_equal(cases[i].reads, collector.reads);
    }
}

#define GROUP_READ(plate)                                                                        \
    "{\"plate\":\"" plate "\",\"jurisdiction\":\"US-GA\",\"captured_at\":"                       \
    "\"2026-03-08T10:02:05.120-00:00\","                                                        \
    "\"reader\":\"AGENT0TESTAGENT0TESTAGENT0TEST01-cam1200301\","                               \
    "\"lat\":33.749,\"lon\":-84.388,\"heading_deg\":184.6,"

static void
a_pass_keeps_its_identity_from_preview_to_final_word_and_alert(void **state)
{
    static const char *const files[] = {
        "tests/data/rekor_alpr_group_preview.json",
        "tests/data/rekor_alpr_group.json",
        "tests/data/rekor_alpr_alert.json",
    };
    static const char *const expected[] = {
        GROUP_READ("UCZ453B")
        "\"confidence\":78.2,\"confidence_scale\":\"percent\",\"make\":\"toyota\",\"model\":"
        "\"camry\",\"color\":\"silver-gray\",\"body\":\"sedan-standard\",\"year\":\"2015-2019\","
        "\"event_id\":\"pass:AGENT0TEST-1200301-1772964125120#0\",\"revision\":0,\"revises\":true,"
        "\"alternates\":[{\"plate\":\"UCZ4538\",\"confidence\":91.4},{\"plate\":\"UC24538\","
        "\"confidence\":84.2}],\"images\":[{\"kind\":\"scene\",\"ref\":"
        "\"openalpr:AGENT0TEST-1200301-1772964125120\"}]}\n",
        GROUP_READ("UCZ4538")
        "\"confidence\":91.4,\"confidence_scale\":\"percent\",\"make\":\"toyota\",\"model\":"
        "\"camry\",\"color\":\"silver-gray\",\"body\":\"sedan-standard\",\"year\":\"2015-2019\","
        "\"event_id\":\"pass:AGENT0TEST-1200301-1772964125120#0\",\"revision\":1,\"revises\":true,"
        "\"alternates\":[{\"plate\":\"UC24538\",\"confidence\":84.2},{\"plate\":\"UCZ453B\","
        "\"confidence\":80.9}],\"images\":[{\"kind\":\"scene\",\"ref\":"
        "\"openalpr:AGENT0TEST-1200301-1772964125890\"}]}\n",
    };
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        parse_file(files[i], &defaults);
        assert_string_equal("", collector.rejections);
        assert_string_equal(expected[i < 2 ? i : 1], collector.reads);
    }
}

#define BARE_PASS                                                                                  \
    "{\"plate\":\"AB12\",\"captured_at\":\"2026-03-08T12:00:00.000-00:00\",\"reader\":\"openalpr-" \
    "cam3\",\"revision\":1,\"revises\":true"

static void
groups_that_say_little_or_nonsense_are_still_read(void **state)
{
    static const struct {
        const char *text, *reads, *rejections;
    } cases[] = {
        { "{\"data_type\":null,\"group\":{\"best_plate\":{\"plate\":\"AB12\",\"confidence\":50,"
          "\"region\":\"ga\",\"candidates\":[{\"plate\":\"A812\",\"confidence\":40}]},\"country\":"
          "\"us\",\"epoch_start\":1772971200000,\"camera_id\":3,\"gps_latitude\":-1,"
          "\"gps_longitude\":-1,\"travel_direction\":-1,\"is_preview\":true,\"best_uuid\":\"u\","
          "\"vehicle\":{\"make\":[{\"name\":\"unknown\",\"confidence\":9}],\"make_model\":["
          "{\"name\":\"land-rover_range-rover\",\"confidence\":1},"
          "{\"name\":\"kia_rio\",\"confidence\":2}],"
          "\"color\":[{\"name\":\"red\"}],\"year\":[{\"name\":\"old\",\"confidence\":9}],"
          "\"body_type\":[]}}}",
          "{\"plate\":\"AB12\",\"jurisdiction\":\"US-GA\",\"captured_at\":"
          "\"2026-03-08T12:00:00.000-00:00\",\"reader\":\"openalpr-cam3\",\"confidence\":50,"
          "\"confidence_scale\":\"percent\",\"model\":\"rio\",\"color\":\"red\",\"event_id\":"
          "\"pass:u#0\",\"revision\":0,\"revises\":true,\"alternates\":[{\"plate\":\"A812\","
          "\"confidence\":40}],\"images\":[{\"kind\":\"scene\",\"ref\":\"openalpr:u\"}]}\n",
          "" },
        { "{\"data_type\":\"alpr_group\",\"best_plate_number\":\"\",\"epoch_start\":1772971200000,"
          "\"camera_id\":3}",
          "", "1 plate says that no plate was read\n" },
        { "{\"data_type\":\"alpr_group\",\"best_plate_number\":\"AB12\",\"camera_id\":3}", "",
          "1 captured_at is missing\n" },
        { "{\"data_type\":\"alpr_group\",\"best_plate_number\":\"AB12\",\"camera_id\":3,"
          "\"epoch_start\":1772971200000,\"gps_latitude\":91,\"gps_longitude\":1}",
          "", "1 gps_latitude is not from -90 to 90 degrees\n" },
        { "{\"best_plate_number\":\"AB12\",\"camera_id\":3,\"epoch_start\":1772971200000}",
          BARE_PASS "}\n", "" },
        { "{\"best_plate\":{\"plate\":\"AB12\"},\"camera_id\":3,\"epoch_start\":1772971200000}",
          BARE_PASS "}\n", "" },
    };
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse(cases[i].text, strlen(cases[i].text), &defaults);
        assert_string_equal(cases[i].rejections, collector.rejections);
        assert_string_equal(cases[i].reads, collector.reads);
    }
}

/* What is added to a group that says nothing but plate, time and camera, and what it adds to the
 * read, or why there is none. */
static void
details_of_a_group_are_taken_one_by_one(void **state)
{
    static const struct {
        const char *members, *added, *rejection;
    } cases[] = {
        { "\"gps_latitude\":33.5,\"gps_longitude\":-84.25", "\"lat\":33.5,\"lon\":-84.25", "" },
        { "\"gps_latitude\":0,\"gps_longitude\":0", "", "" },
        { "\"gps_latitude\":-1,\"gps_longitude\":-1", "", "" },
        { "\"gps_latitude\":0,\"gps_longitude\":-1", "", "" },
        { "\"gps_latitude\":0,\"gps_longitude\":5", "\"lat\":0,\"lon\":5", "" },
        { "\"gps_latitude\":-1,\"gps_longitude\":-2", "\"lat\":-1,\"lon\":-2", "" },
        { "\"gps_latitude\":5", "", "" },
        { "\"gps_longitude\":5", "", "" },
        { "\"gps_latitude\":\"5\",\"gps_longitude\":5", "", "" },
        { "\"gps_latitude\":-90.1,\"gps_longitude\":1", "",
          "1 gps_latitude is not from -90 to 90 degrees\n" },
        { "\"gps_latitude\":1e30,\"gps_longitude\":1", "",
          "1 gps_latitude is not from -90 to 90 degrees\n" },
        { "\"gps_latitude\":1,\"gps_longitude\":180.1", "",
          "1 gps_longitude is not from -180 to 180 degrees\n" },
        { "\"gps_latitude\":1,\"gps_longitude\":-180.1", "",
          "1 gps_longitude is not from -180 to 180 degrees\n" },
        { "\"gps_latitude\":1,\"gps_longitude\":-1e30", "",
          "1 gps_longitude is not from -180 to 180 degrees\n" },
        { "\"travel_direction\":360", "\"heading_deg\":0", "" },
        { "\"travel_direction\":360.01", "", "" },
        { "\"travel_direction\":-0.01", "", "" },
        { "\"travel_direction\":1e30", "", "" },
        { "\"uuids\":[\"u\",\"v\"],\"plate_indexes\":[4,5]", "\"event_id\":\"pass:u#4\"", "" },
        { "\"uuids\":[\"u\"],\"plate_indexes\":[]", "\"event_id\":\"pass:u#0\"", "" },
        { "\"uuids\":[\"u\"],\"plate_indexes\":[\"4\"]", "\"event_id\":\"pass:u#0\"", "" },
        { "\"uuids\":[],\"plate_indexes\":[4]", "", "" },
        { "\"uuids\":[7],\"plate_indexes\":[4]", "", "" },
        { "\"vehicle\":7", "", "" },
        { "\"vehicle\":{}", "", "" },
        { "\"vehicle\":{\"make_model\":[{\"name\":\"camry\"}]}", "", "" },
        { "\"vehicle\":{\"make_model\":[{\"name\":\"\"}]}", "", "" },
        { "\"vehicle\":{\"make\":[7,{\"confidence\":5},{\"name\":\"KIA\",\"confidence\":6}]}",
          "\"make\":\"kia\"", "" },
    };
    struct pb_ingest_defaults defaults = no_defaults();
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int bytes = snprintf(text, sizeof(text),
                             "{\"data_type\":\"alpr_group\",\"best_plate_number\":\"AB12\","
                             "\"camera_id\":3,\"epoch_start\":1772971200000,%s}",
                             cases[i].members);

        parse(text, (size_t)bytes, &defaults);
        assert_string_equal(cases[i].rejection, collector.rejections);
        assert_int_equal(cases[i].rejection[0] == '\0', collector.read_count);
        if (collector.read_count > 0 && cases[i].added[0] == '\0')
            assert_string_equal(BARE_PASS "}\n", collector.reads);
        if (cases[i].added[0] != '\0')
            assert_non_null(strstr(collector.reads, cases[i].added));
    }
}

static void
a_heartbeat_is_nothing_and_no_error(void **state)
{
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    parse_file("tests/data/rekor_heartbeat.json", &defaults);
    assert_int_equal(0, collector.read_count);
    assert_int_equal(0, collector.rejection_count);
}

static void
all_that_the_daemon_posted_is_read(void **state)
{
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    parse_file("samples/openalpr_daemon.ndjson", &defaults);
    assert_int_equal(88, collector.read_count);
    assert_int_equal(0, collector.rejection_count);
    assert_non_null(strstr(collector.reads,
                           "\"plate\":\"CAY033\",\"captured_at\":\"2026-11-23T02:43:26.199-00:00\","
                           "\"reader\":\"bench-site-cam1\",\"confidence\":88.664612,"));
}

/* One line of the file and the read made of it: is the truth the plate or an alternate? */
static bool
has_truth(const char *line, const char *read)
{
    const char *truth = strstr(line, "\"truth\":\"");
    char wanted[64];
    size_t bytes;

    assert_non_null(truth);
    truth += strlen("\"truth\":\"");
    bytes = strcspn(truth, "\"");
    (void)snprintf(wanted, sizeof(wanted), "\"plate\":\"%.*s\"", (int)bytes, truth);
    truth = strstr(read, wanted);
    return truth != NULL && truth < strchr(read, '\n');
}

static void
the_truth_is_among_plate_and_alternates_of_every_drawn_picture(void **state)
{
    struct pb_ingest_defaults defaults = no_defaults();
    size_t count = 0, found = 0;
    uint8_t *bytes = file_bytes("samples/openalpr_printed.ndjson", &count);
    const char *line, *read = collector.reads;

    (void)state;
    assert_non_null(bytes);
    bytes[count] = '\0';
    defaults.reader = pb_str_from("bench");
    defaults.captured_at_us = INT64_C(1772971200000000);
    parse(bytes, count, &defaults);
    assert_int_equal(80, collector.read_count);
    assert_int_equal(0, collector.rejection_count);
    for (line = (const char *)bytes; *line != '\0'; line = strchr(line, '\n') + 1) {
        found += has_truth(line, read);
        read = strchr(read, '\n') + 1;
    }
    free(bytes);
    assert_int_equal(80, found);
}

static void
a_source_names_the_reader_where_the_agent_has_no_site(void **state)
{
    static const char text[] =
        "{\"epoch_time\":1772971200000,\"camera_id\":3,\"site_id\":\"\",\"results\":[{\"plate\":"
        "\"AB12\"}]}\n{" FRAME ",\"results\":[{\"plate\":\"AB12\"}]}\n";
    struct pb_ingest_defaults defaults = no_defaults();

    (void)state;
    defaults.reader = pb_str_from("north");
    parse(text, sizeof(text) - 1, &defaults);
    assert_int_equal(2, collector.read_count);
    assert_non_null(strstr(collector.reads, "\"reader\":\"north\""));
    assert_non_null(strstr(collector.reads, "\"reader\":\"gate-cam3\""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_become_a_read_for_each_plate),
        cmocka_unit_test(a_pass_keeps_its_identity_from_preview_to_final_word_and_alert),
        cmocka_unit_test(groups_that_say_little_or_nonsense_are_still_read),
        cmocka_unit_test(details_of_a_group_are_taken_one_by_one),
        cmocka_unit_test(a_heartbeat_is_nothing_and_no_error),
        cmocka_unit_test(all_that_the_daemon_posted_is_read),
        cmocka_unit_test(the_truth_is_among_plate_and_alternates_of_every_drawn_picture),
        cmocka_unit_test(a_source_names_the_reader_where_the_agent_has_no_site),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
