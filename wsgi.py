"""Start the web process: `python wsgi.py`. The async mode is chosen, and patched in, before anything else."""

import os
import warnings

mode, offload, later = os.environ.setdefault("SOCKETIO_ASYNC_MODE", "eventlet"), None, None
if mode == "eventlet":
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")  # docs/adr/0004 says why we use it
    import eventlet.hubs
    import eventlet.tpool

    eventlet.monkey_patch()
    main, hub, offload = eventlet.getcurrent(), eventlet.hubs.get_hub(), eventlet.tpool.execute
    later = lambda: hub.schedule_call_global(0, main.throw, KeyboardInterrupt)  # noqa: E731
elif mode == "gevent":
    import gevent.monkey

    gevent.monkey.patch_all()
    main, hub = gevent.getcurrent(), gevent.get_hub()
    offload = lambda function, *args: hub.threadpool.apply(function, args)  # noqa: E731
    later = lambda: hub.loop.run_callback_threadsafe(main.throw, KeyboardInterrupt)  # noqa: E731
os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_selector")  # psycopg's own wait holds all green threads

from app.process import serve  # noqa: E402  nothing of ours may be imported before the patching

if __name__ == "__main__":
    serve(offload, later)
