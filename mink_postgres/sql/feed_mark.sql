SELECT mark, high, identity, epoch, refusal FROM {schema}.feed_mark()
