-- A checkpoint belongs to one history (FEED-08): which one stands beside the decided table.
CREATE TABLE {schema}.checkpoint_identities (
    projection_name VARCHAR(255) PRIMARY KEY REFERENCES {schema}.checkpoints ON DELETE CASCADE,
    store UUID NOT NULL,
    epoch BIGINT NOT NULL
);

-- Who works on a partition of a subscription. The token grows with every change of hands.
CREATE TABLE {schema}.subscription_leases (
    subscription VARCHAR(200) NOT NULL,
    partition INTEGER NOT NULL,
    owner VARCHAR(200),
    token BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (subscription, partition)
);

-- Compare-and-set. p_expected NULL: there must be no checkpoint. A refusal is a result, never an
-- exception: the caller's transaction stays usable (TX-03).
CREATE FUNCTION {schema}.save_checkpoint(
    p_name text, p_position bigint, p_expected bigint, p_store uuid, p_epoch bigint,
    p_subscription text, p_partition integer, p_token bigint,
    OUT outcome text, OUT actual bigint
) LANGUAGE plpgsql AS $$
BEGIN
    IF p_subscription IS NOT NULL THEN
        -- Locked until the commit: whoever takes over waits for it, or has done so and is seen here.
        PERFORM FROM {schema}.subscription_leases AS l
        WHERE l.subscription = p_subscription AND l.partition = p_partition AND l.token = p_token
        FOR SHARE;
        IF NOT FOUND THEN
            outcome := 'fenced';
            RETURN;
        END IF;
    END IF;
    IF p_expected IS NULL THEN
        INSERT INTO {schema}.checkpoints (projection_name, position, updated_at)
        VALUES (p_name, p_position, clock_timestamp()) ON CONFLICT (projection_name) DO NOTHING;
    ELSE
        UPDATE {schema}.checkpoints AS c SET position = p_position, updated_at = clock_timestamp()
        WHERE c.projection_name = p_name AND c.position = p_expected;
    END IF;
    IF NOT FOUND THEN
        outcome := 'conflict';
        SELECT c.position INTO actual FROM {schema}.checkpoints AS c WHERE c.projection_name = p_name;
        RETURN;
    END IF;
    outcome := 'saved';
    -- A look is cheaper than a write that changes nothing.
    IF p_expected IS NULL OR p_store IS NOT NULL AND NOT EXISTS (
        SELECT FROM {schema}.checkpoint_identities AS i
        WHERE i.projection_name = p_name AND i.store = p_store AND i.epoch = p_epoch
    ) THEN
        INSERT INTO {schema}.checkpoint_identities (projection_name, store, epoch)
        SELECT p_name, coalesce(p_store, s.identity), coalesce(p_epoch, s.epoch) FROM {schema}.store AS s
        ON CONFLICT (projection_name) DO UPDATE SET store = excluded.store, epoch = excluded.epoch;
    END IF;
END $$;

CREATE FUNCTION {schema}.reset_checkpoint(p_name text, p_position bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_position IS NULL THEN
        DELETE FROM {schema}.checkpoints WHERE projection_name = p_name;
        RETURN;
    END IF;
    INSERT INTO {schema}.checkpoints (projection_name, position, updated_at)
    VALUES (p_name, p_position, clock_timestamp())
    ON CONFLICT (projection_name) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at;
    INSERT INTO {schema}.checkpoint_identities (projection_name, store, epoch)
    SELECT p_name, s.identity, s.epoch FROM {schema}.store AS s
    ON CONFLICT (projection_name) DO UPDATE SET store = excluded.store, epoch = excluded.epoch;
END $$;
