"""Start the web process: `python wsgi.py`. The async mode is chosen, and patched in, before anything else."""

import os
import warnings

mode = os.environ.setdefault("SOCKETIO_ASYNC_MODE", "eventlet")
if mode == "eventlet":
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")  # docs/adr/0004 says why we use it
    import eventlet
    import eventlet.tpool

    eventlet.monkey_patch()
elif mode == "gevent":
    import gevent
    import gevent.monkey

    gevent.monkey.patch_all()
os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_selector")  # psycopg's own wait holds all green threads

from app.process import serve  # noqa: E402  nothing of ours may be imported before the patching

if __name__ == "__main__":
    if mode == "eventlet":
        serve(eventlet.tpool.execute)
    elif mode == "gevent":
        serve(lambda function, *args: gevent.get_hub().threadpool.apply(function, args))
    else:
        serve()
