"""The one base class of errors that a user can mend."""


class ClusteringError(Exception):
    """Something the user can put right; the message names the file or setting and the way out.

    The command line prints it without a traceback and exits with 1; Dagster shows it as the failure's
    description. Every package derives its own errors from this class.
    """
