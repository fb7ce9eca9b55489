-- Nobody looks a number up in prefixes any more. (MariaDB had a table for that.)

-- Down: nobody looks it up in ranges any more.
DROP TABLE IF EXISTS dialer_number_ranges;
