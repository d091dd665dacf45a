"""Gunicorn's configuration. WEB_CONCURRENCY is the number of workers; its default is 1."""

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

# The workers share their metrics in this folder. A reload (SIGHUP) runs this file again and keeps the folder.
master = os.getpid()
if not Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")).name.startswith(f"prometheus-{master}-"):
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=f"prometheus-{master}-")
    atexit.register(lambda: shutil.rmtree(folder) if os.getpid() == master else None)

# Imported after the folder is set, as prometheus-client reads the variable when it is imported.
from chassis.server import gunicorn
from chassis.telemetry.logs import configure_logs

configure_logs(settings.log_level, settings.log_format)

host = f"[{settings.host}]" if ":" in settings.host else settings.host
bind = [f"{host}:{settings.port}", f"{host}:{settings.internal_port}"]
worker_class = gunicorn.Worker
logger_class = gunicorn.Logger
when_ready = gunicorn.when_ready
child_exit = gunicorn.child_exit
# The drain, the requests in flight, and the closing of the pool; less than the chart's grace period, so that the master
# outlives its workers.
graceful_timeout = int(settings.drain_seconds + settings.request_timeout_seconds + 8)
# Off, and this worker class ignores it: a worker that ends under load resets the connections in its accept queue.
max_requests = 0
# For the heartbeat file: in memory, so that a slow disk cannot block it and the root filesystem may be read-only.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108
# Its socket would be in the home folder, which a read-only root filesystem forbids.
control_socket_disable = True
