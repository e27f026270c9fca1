-- Prefect has a database of its own beside the ledger's: neither can lock or migrate the other's tables.
CREATE DATABASE prefect OWNER countermand;
