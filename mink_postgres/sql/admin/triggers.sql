SELECT tgname::text FROM pg_trigger WHERE tgenabled = 'A' AND tgrelid = '{schema}.events'::regclass
