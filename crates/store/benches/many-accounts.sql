-- Gives a database of Waxwing 100,000 accounts: copies of one, each under a name of its own. To make so many by registration
-- would take longer than the whole benchmark, since each password is stretched.
BEGIN;
CREATE TEMP TABLE copied AS
    SELECT owner FROM table_row JOIN shape ON shape.id = table_row.shape
    WHERE shape.name = 'accounts' ORDER BY owner LIMIT 1;
CREATE TEMP TABLE made AS
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100000)
    SELECT n + (SELECT max(id) FROM owner) AS id, CAST('amany' || n || '@localhost' AS BLOB) AS name FROM number;
INSERT INTO owner (id, name) SELECT id, name FROM made;
INSERT INTO table_row (shape, owner, key, value)
    SELECT table_row.shape, made.id, table_row.key, table_row.value
    FROM made, table_row JOIN shape ON shape.id = table_row.shape
    WHERE table_row.owner = (SELECT owner FROM copied) AND shape.name IN ('accounts', 'last-left')
    ORDER BY table_row.shape, made.id;
COMMIT;
PRAGMA wal_checkpoint(TRUNCATE);
