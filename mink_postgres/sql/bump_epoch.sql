UPDATE {schema}.store SET epoch = epoch + 1 RETURNING identity, epoch
