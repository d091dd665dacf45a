"""Gunicorn's configuration. The number of workers is WEB_CONCURRENCY, one where it is not set."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from app.settings import Settings
from chassis.settings import SettingsError, load_settings

try:
    settings = load_settings(Settings)
except SettingsError as error:
    sys.exit(str(error))

# Where the workers add up their metrics. A reload (SIGHUP) reads this file again and keeps the master's folder.
master = os.getpid()
if not Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")).name.startswith(f"prometheus-{master}-"):
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=f"prometheus-{master}-")
    atexit.register(lambda: shutil.rmtree(folder) if os.getpid() == master else None)

# After it, as prometheus-client looks for the folder when it is first imported.
from chassis.server import gunicorn
from chassis.telemetry.logs import configure_logs

configure_logs(settings.log_level, settings.log_format)

host = f"[{settings.host}]" if ":" in settings.host else settings.host
bind = [f"{host}:{settings.port}", f"{host}:{settings.internal_port}"]
worker_class = gunicorn.Worker
logger_class = gunicorn.Logger
when_ready = gunicorn.when_ready
child_exit = gunicorn.child_exit
# A worker needs this long to end: the drain, the requests in flight, and the closing of the pool. It is less than the
# chart's grace period, so that the master outlives its workers.
graceful_timeout = int(settings.drain_seconds + settings.request_timeout_seconds + 8)
# Off, and this worker does not count: one that ends under load resets the connections that the kernel has given it, and
# their requests.
max_requests = 0
# A file that is touched for the heartbeat: in memory, so that the disk cannot block it, and the root may be read-only.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108
# It wants a socket in the home folder, which a read-only root refuses.
control_socket_disable = True
