/*
 * Merkle trees: against the recursive definition, against published vectors, and refusals.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "audit/encode.h"
#include "audit/tree.h"
#include "base/base64.h"
#include "base/text.h"

#define LEAVES 70u
#define VECTORS "../shared/data/merkle-vectors"

/* ---- the definition, word for word: RFC 6962 section 2.1 ---- */

static struct pb_hash
leaf_hash(uint64_t index)
{
    uint8_t bytes[2] = { (uint8_t)index, (uint8_t)(index >> 8) };
    struct pb_hash hash;

    pb_tree_hash_leaf(bytes, sizeof(bytes), &hash);
    return hash;
}

static uint64_t
largest_power_below(uint64_t count)
{
    uint64_t power = 1;

    while (power * 2 < count)
        power *= 2;
    return power;
}

static struct pb_hash
defined_root(uint64_t begin, uint64_t end)
{
    struct pb_hash left, right;
    uint64_t middle;

    if (begin == end) {
        pb_tree_hash_empty(&left);
        return left;
    }
    if (end - begin == 1)
        return leaf_hash(begin);
    middle = begin + largest_power_below(end - begin);
    left = defined_root(begin, middle);
    right = defined_root(middle, end);
    pb_tree_hash_node(&left, &right, &left);
    return left;
}

static enum pb_status
defined_node(void *context, unsigned level, uint64_t index, struct pb_hash *ret_hash,
             struct pb_error *error)
{
    uint64_t *calls_left = context;

    (void)error;
    if (calls_left != NULL && (*calls_left)-- == 0)
        return PB_E_IO;
    *ret_hash = defined_root(index << level, (index + 1) << level);
    return PB_OK;
}

/* ---- ---- */

static void
hashes_are_those_of_rfc_6962(void **state)
{
    struct pb_hash hash;
    char text[65];
    struct pb_text_out out = pb_text_out(text, sizeof(text));

    (void)state;
    pb_tree_hash_empty(&hash);
    pb_put_hex(&out, hash.bytes, sizeof(hash.bytes));
    *out.at = '\0';
    assert_string_equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", text);
    pb_tree_hash_leaf("", 0, &hash);
    out = pb_text_out(text, sizeof(text));
    pb_put_hex(&out, hash.bytes, sizeof(hash.bytes));
    assert_string_equal("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", text);
}

static void
roots_and_growing_edges_follow_the_definition(void **state)
{
    struct pb_tree_edge edge = { .size = 0 };

    (void)state;
    for (uint64_t size = 0; size <= LEAVES; size++) {
        struct pb_hash expected = defined_root(0, size), found;
        struct pb_tree_edge loaded;

        assert_int_equal(PB_OK, pb_tree_root(size, defined_node, NULL, &found, NULL));
        assert_true(pb_hash_equal(&expected, &found));
        pb_tree_edge_root(&edge, &found);
        assert_true(pb_hash_equal(&expected, &found));
        assert_int_equal(PB_OK, pb_tree_edge_load(size, defined_node, NULL, &loaded, NULL));
        pb_tree_edge_root(&loaded, &found);
        assert_true(pb_hash_equal(&expected, &found));
        found = leaf_hash(size);
        pb_tree_edge_add(&edge, &found);
    }
}

/* Every change of a good proof is refused: each hash changed, one too few, one too many, another
 * index, another size. */
static void
assert_inclusion_refused_when_changed(uint64_t index, uint64_t size, struct pb_tree_proof *proof)
{
    struct pb_hash root = defined_root(0, size), leaf = leaf_hash(index), other = leaf_hash(999);

    assert_int_equal(PB_BAD_INPUT, pb_tree_verify_inclusion(index, size, &other, proof, &root));
    assert_int_equal(PB_BAD_INPUT, pb_tree_verify_inclusion(index, size, &leaf, proof, &other));
    for (uint64_t wrong = 0; wrong <= size; wrong++) {
        if (wrong != index)
            assert_int_equal(PB_BAD_INPUT,
                             pb_tree_verify_inclusion(wrong, size, &leaf, proof, &root));
    }
    for (uint32_t i = 0; i < proof->count; i++) {
        proof->hashes[i].bytes[i % 32] ^= 1;
        assert_int_equal(PB_BAD_INPUT, pb_tree_verify_inclusion(index, size, &leaf, proof, &root));
        proof->hashes[i].bytes[i % 32] ^= 1;
    }
    if (proof->count > 0) {
        proof->count--;
        assert_int_equal(PB_BAD_INPUT, pb_tree_verify_inclusion(index, size, &leaf, proof, &root));
        proof->count++;
    }
    proof->hashes[proof->count++] = root;
    assert_int_equal(PB_BAD_INPUT, pb_tree_verify_inclusion(index, size, &leaf, proof, &root));
    proof->count--;
}

static void
every_inclusion_proof_proves_its_leaf_alone(void **state)
{
    (void)state;
    for (uint64_t size = 1; size <= LEAVES; size++) {
        struct pb_hash root = defined_root(0, size);

        for (uint64_t index = 0; index < size; index++) {
            struct pb_hash leaf = leaf_hash(index);
            struct pb_tree_proof proof;

            assert_int_equal(PB_OK, pb_tree_prove_inclusion(index, size, defined_node, NULL, &proof,
                                                            NULL));
            assert_int_equal(PB_OK, pb_tree_verify_inclusion(index, size, &leaf, &proof, &root));
            if (index % 7 == 0 || index + 2 > size)
                assert_inclusion_refused_when_changed(index, size, &proof);
        }
    }
}

static void
assert_consistency_refused_when_changed(uint64_t old_size, uint64_t size,
                                        struct pb_tree_proof *proof)
{
    struct pb_hash old_root = defined_root(0, old_size), root = defined_root(0, size);
    struct pb_hash other = leaf_hash(999);

    assert_int_equal(PB_BAD_INPUT,
                     pb_tree_verify_consistency(old_size, size, &other, &root, proof));
    assert_int_equal(PB_BAD_INPUT,
                     pb_tree_verify_consistency(old_size, size, &old_root, &other, proof));
    assert_int_equal(PB_BAD_INPUT,
                     pb_tree_verify_consistency(old_size + 1, size, &old_root, &root, proof));
    for (uint32_t i = 0; i < proof->count; i++) {
        proof->hashes[i].bytes[i % 32] ^= 0x80;
        assert_int_equal(PB_BAD_INPUT,
                         pb_tree_verify_consistency(old_size, size, &old_root, &root, proof));
        proof->hashes[i].bytes[i % 32] ^= 0x80;
    }
    if (proof->count > 0) {
        proof->count--;
        assert_int_equal(PB_BAD_INPUT,
                         pb_tree_verify_consistency(old_size, size, &old_root, &root, proof));
        proof->count++;
    }
    /* A verifier that does not use up the second size takes this one. */
    proof->hashes[proof->count++] = root;
    assert_int_equal(PB_BAD_INPUT,
                     pb_tree_verify_consistency(old_size, size, &old_root, &root, proof));
    proof->count--;
}

static void
every_consistency_proof_proves_growth_and_nothing_else(void **state)
{
    (void)state;
    for (uint64_t size = 1; size <= LEAVES; size++) {
        struct pb_hash root = defined_root(0, size);

        for (uint64_t old_size = 1; old_size <= size; old_size++) {
            struct pb_hash old_root = defined_root(0, old_size);
            struct pb_tree_proof proof;

            assert_int_equal(PB_OK, pb_tree_prove_consistency(old_size, size, defined_node, NULL,
                                                              &proof, NULL));
            assert_int_equal(PB_OK,
                             pb_tree_verify_consistency(old_size, size, &old_root, &root, &proof));
            if (old_size % 5 == 0 || size < 10)
                assert_consistency_refused_when_changed(old_size, size, &proof);
        }
    }
}

static void
impossible_sizes_prove_nothing(void **state)
{
    struct pb_hash empty, leaf = leaf_hash(0);
    struct pb_tree_proof proof = { .count = 0 };

    (void)state;
    pb_tree_hash_empty(&empty);
    assert_int_equal(PB_BAD_INPUT, pb_tree_verify_inclusion(0, 0, &leaf, &proof, &empty));
    assert_int_equal(PB_BAD_INPUT,
                     pb_tree_verify_inclusion(UINT64_MAX, UINT64_MAX, &leaf, &proof, &leaf));
    assert_int_equal(PB_BAD_INPUT,
                     pb_tree_verify_inclusion(0, PB_TREE_SIZE_MAX + 1, &leaf, &proof, &leaf));
    assert_int_equal(PB_BAD_INPUT, pb_tree_verify_consistency(0, 1, &empty, &leaf, &proof));
    assert_int_equal(PB_BAD_INPUT, pb_tree_verify_consistency(0, 0, &empty, &empty, &proof));
    assert_int_equal(PB_BAD_INPUT, pb_tree_verify_consistency(2, 1, &leaf, &leaf, &proof));
    assert_int_equal(PB_BAD_INPUT,
                     pb_tree_verify_consistency(1, PB_TREE_SIZE_MAX + 1, &leaf, &leaf, &proof));
    proof.count = PB_TREE_PROOF_MAX + 1;
    assert_int_equal(PB_BAD_INPUT, pb_tree_verify_inclusion(0, 1, &leaf, &proof, &leaf));
    assert_int_equal(PB_BAD_INPUT, pb_tree_verify_consistency(1, 1, &leaf, &leaf, &proof));
    proof.count = 0;
    assert_int_equal(PB_OK, pb_tree_prove_consistency(0, 5, defined_node, NULL, &proof, NULL));
    assert_int_equal(0, proof.count);
}

static void
a_node_that_cannot_be_had_is_passed_on(void **state)
{
    (void)state;
    for (uint64_t calls = 0; calls < 5; calls++) {
        struct pb_tree_proof proof;
        struct pb_tree_edge edge;
        struct pb_hash root;
        uint64_t left = calls;

        assert_int_equal(PB_E_IO, pb_tree_root(63, defined_node, &left, &root, NULL));
        left = calls;
        assert_int_equal(PB_E_IO,
                         pb_tree_prove_inclusion(9, 63, defined_node, &left, &proof, NULL));
        left = calls;
        assert_int_equal(PB_E_IO,
                         pb_tree_prove_consistency(33, 63, defined_node, &left, &proof, NULL));
        left = calls;
        assert_int_equal(PB_E_IO, pb_tree_edge_load(63, defined_node, &left, &edge, NULL));
    }
}

/* ---- published vectors ---- */

struct vectors {
    void (*check)(const json_t *vector, const char *path);
    unsigned count;
};

/* A hash that is none cannot be given to us; whatever needs one is refused. */
static bool
get_hash(const json_t *text, struct pb_hash *ret_hash)
{
    return pb_base64_decode_exact(pb_str_from(json_string_value(text)), ret_hash->bytes,
                                  PB_HASH_BYTES) == PB_OK;
}

static bool
get_proof(const json_t *vector, struct pb_tree_proof *ret_proof)
{
    const json_t *hashes = json_object_get(vector, "proof");

    ret_proof->count = 0;
    for (size_t i = 0; i < json_array_size(hashes); i++) {
        if (i == PB_TREE_PROOF_MAX ||
            !get_hash(json_array_get(hashes, i), &ret_proof->hashes[ret_proof->count++]))
            return false;
    }
    return true;
}

static uint64_t
get_number(const json_t *vector, const char *name)
{
    double value = json_real_value(json_object_get(vector, name));

    /* They are loaded as reals, since some are larger than jansson's integers. */
    return value < 0x1p63 ? (uint64_t)value : UINT64_MAX;
}

static void
check_inclusion(const json_t *vector, const char *path)
{
    bool is_refused = json_is_true(json_object_get(vector, "wantErr"));
    struct pb_hash leaf, root;
    struct pb_tree_proof proof;
    enum pb_status status = PB_BAD_INPUT;

    if (get_hash(json_object_get(vector, "leafHash"), &leaf) &&
        get_hash(json_object_get(vector, "root"), &root) && get_proof(vector, &proof))
        status = pb_tree_verify_inclusion(get_number(vector, "leafIdx"),
                                          get_number(vector, "treeSize"), &leaf, &proof, &root);
    if (status != (is_refused ? PB_BAD_INPUT : PB_OK))
        fail_msg("%s: %s", path, is_refused ? "taken" : "refused");
}

static void
check_consistency(const json_t *vector, const char *path)
{
    bool is_refused = json_is_true(json_object_get(vector, "wantErr"));
    const json_t *old_text = json_object_get(vector, "root1");
    const json_t *text = json_object_get(vector, "root2");
    struct pb_tree_proof proof;
    struct pb_hash old_root, root;
    enum pb_status status = PB_BAD_INPUT;

    /* One vector has equal roots that are no hashes and wants them taken: they stand for a pair. */
    if (!is_refused && json_equal(old_text, text) && !get_hash(text, &root)) {
        root = leaf_hash(1);
        old_root = root;
        status = PB_OK;
    } else if (get_hash(old_text, &old_root) && get_hash(text, &root)) {
        status = PB_OK;
    }
    if (status == PB_OK)
        status = get_proof(vector, &proof) ? pb_tree_verify_consistency(get_number(vector, "size1"),
                                                                        get_number(vector, "size2"),
                                                                        &old_root, &root, &proof)
                                           : PB_BAD_INPUT;
    if (status != (is_refused ? PB_BAD_INPUT : PB_OK))
        fail_msg("%s: %s", path, is_refused ? "taken" : "refused");
}

static void
check_directory(const char *path, struct vectors *vectors)
{
    DIR *directory = opendir(path);
    struct dirent *entry;

    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        char child[1024];
        json_t *vector;

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR) {
            check_directory(child, vectors);
            continue;
        }
        vector = json_load_file(child, JSON_DECODE_INT_AS_REAL, NULL);
        assert_non_null(vector);
        vectors->check(vector, child);
        vectors->count++;
        json_decref(vector);
    }
    (void)closedir(directory);
}

static void
published_inclusion_vectors_are_judged_as_they_say(void **state)
{
    struct vectors vectors = { .check = check_inclusion };
    DIR *directory = opendir(VECTORS);

    (void)state;
    if (directory == NULL)
        skip();
    (void)closedir(directory);
    check_directory(VECTORS "/inclusion", &vectors);
    assert_int_equal(98, vectors.count);
}

static void
published_consistency_vectors_are_judged_as_they_say(void **state)
{
    struct vectors vectors = { .check = check_consistency };
    DIR *directory = opendir(VECTORS);

    (void)state;
    if (directory == NULL)
        skip();
    (void)closedir(directory);
    check_directory(VECTORS "/consistency", &vectors);
    assert_int_equal(98, vectors.count);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_rfc_6962),
        cmocka_unit_test(roots_and_growing_edges_follow_the_definition),
        cmocka_unit_test(every_inclusion_proof_proves_its_leaf_alone),
        cmocka_unit_test(every_consistency_proof_proves_growth_and_nothing_else),
        cmocka_unit_test(impossible_sizes_prove_nothing),
        cmocka_unit_test(a_node_that_cannot_be_had_is_passed_on),
        cmocka_unit_test(published_inclusion_vectors_are_judged_as_they_say),
        cmocka_unit_test(published_consistency_vectors_are_judged_as_they_say),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
