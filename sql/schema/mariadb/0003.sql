-- What 0003 does to tables and rows. MariaDB commits each statement: write what can be run again.

-- Down: how that is taken back.
