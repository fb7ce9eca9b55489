-- What triggers on cases look up is there before the first case is written.
SELECT dialer_numbering_refresh();
