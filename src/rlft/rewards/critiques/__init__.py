"""Critics that name the wrong steps of a row: how rows are cut into steps, what is asked, what votes come to."""
