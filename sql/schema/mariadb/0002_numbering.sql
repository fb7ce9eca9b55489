-- What triggers on cases look up is there before the first case is written.
CALL dialer_numbering_refresh();
