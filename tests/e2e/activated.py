"""A daemon that is started as a service manager starts it: with descriptors from 3 on, and told so by its pid."""
import fcntl
import os
import signal
import subprocess
import time


class Activated:
    """What subprocess.Popen would be, for a child that must know its own pid and hold the descriptors from 3 on."""

    def __init__(self, vault, descriptors, names, notify_path, **env):
        self.pid = os.fork()
        self.returncode = None
        if self.pid == 0:
            try:
                log = os.open(vault.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                os.dup2(log, 1)
                os.dup2(log, 2)
                high = [
                    fcntl.fcntl(each.fileno(), fcntl.F_DUPFD, len(descriptors) + 100) for each in descriptors
                ]
                for number, descriptor in enumerate(high, 3):
                    os.dup2(descriptor, number)
                told = {} if notify_path is None else {"NOTIFY_SOCKET": notify_path}
                told |= {} if names is None else {"LISTEN_FDNAMES": names}
                env = vault.environment(
                    LISTEN_FDS=str(len(descriptors)), LISTEN_PID=str(os.getpid()), **told, **env
                )
                os.execve(vault.programs["cofferd"], ["cofferd", "--config", vault.config], env)
            finally:
                os._exit(127)

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout):
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("cofferd", timeout)
            time.sleep(0.002)
        return self.returncode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
