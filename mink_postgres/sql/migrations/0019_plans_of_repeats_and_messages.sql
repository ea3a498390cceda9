-- oldest code: 15
-- find_repeat() compares what is given with what is stored, up to ten thousand events each. append_group() looks for
-- repeats as well, under settings that fit a group, and a session keeps the plans that were made then: a long append that
-- was sent again later compared every event with every other (docs/decisions/0115). A function's own settings outweigh
-- its caller's.
ALTER FUNCTION {schema}.find_repeat(text, bigint, json) SET enable_hashjoin TO on;
ALTER FUNCTION {schema}.find_repeat(text, bigint, json) SET enable_nestloop TO off;

-- As for `streams` in 0017: messages are looked up by the indexes, also with plans that were made while the outbox fitted a
-- page. Its statistics change late, after ten thousand changed rows.
ALTER FUNCTION {schema}.append_with_outbox(text, text, bigint, json, json) SET enable_seqscan TO off;
ALTER FUNCTION {schema}.append_one_with_outbox(
    text, text, bigint, uuid, text, jsonb, jsonb, uuid[], json
) SET enable_seqscan TO off;
ALTER FUNCTION {schema}.append_batch_unique_with_outbox(json, json, json) SET enable_seqscan TO off;
ALTER FUNCTION {schema}.append_group_with_outbox(
    text[], bigint[], integer[], uuid[], text[], jsonb[], jsonb[],
    integer[], uuid[], text[], jsonb[], jsonb[], text[], uuid[], boolean[], float8[], integer[]
) SET enable_seqscan TO off;
ALTER FUNCTION {schema}.claim_outbox(text, integer, float8) SET enable_seqscan TO off;
ALTER FUNCTION {schema}.settle_outbox(json) SET enable_seqscan TO off;
