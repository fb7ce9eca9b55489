-- Nobody looks a number up in prefixes any more.
DROP TABLE IF EXISTS dialer_places;

-- Down: nobody looks it up in ranges any more.
DROP TABLE IF EXISTS dialer_number_ranges;
