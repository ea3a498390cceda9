DROP TRIGGER IF EXISTS conformance_gate ON {schema}.events;
DROP FUNCTION IF EXISTS {schema}.conformance_wait();
DROP TABLE IF EXISTS {schema}.conformance_holds;
