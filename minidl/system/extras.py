"""What an optional package's failed import means: that it is not there, or that it is there and cannot be loaded."""

from ..errors import MissingExtraError


def missing_extra(purpose: str, package: str, extra: str, error: ImportError) -> MissingExtraError:
    """The error to raise for `error`, met in importing `package`; a `purpose` is such as "figures need Matplotlib"."""
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] == package:
        return MissingExtraError(f"{purpose}: pip install 'minidl[{extra}]'")
    return MissingExtraError(f"{purpose}, which is installed but cannot be loaded: {error}")
