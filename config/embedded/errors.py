"""What can keep the embedded servers from running, said in words a newcomer can act on."""


class EmbeddedError(Exception):
    """A server or a process could not be started, found or stopped. The message says what to do."""


class AlreadyRunning(EmbeddedError):
    """Another supervisor looks after this checkout's processes."""


class StartFailed(EmbeddedError):
    """A process ended, or did not become ready, while everything was being started."""
