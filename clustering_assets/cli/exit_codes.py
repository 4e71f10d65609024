"""What commands end with beside 0, which means that all is done."""

FAILED, WRONG_USAGE = 1, 2
