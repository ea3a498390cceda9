-- oldest code: 15
-- find_repeat() compares what is given with what is stored, up to ten thousand events each. append_group() looks for
-- repeats as well, under settings that fit a group, and a session keeps the plans that were made then: a long append that
-- was sent again later compared every event with every other (docs/decisions/0115). A function's own settings outweigh
-- its caller's.
ALTER FUNCTION {schema}.find_repeat(text, bigint, json) SET enable_hashjoin TO on;
ALTER FUNCTION {schema}.find_repeat(text, bigint, json) SET enable_nestloop TO off;
