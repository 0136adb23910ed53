"""The demo: load it, and tell who may sign in and where to go."""

from datetime import timedelta

from app.passwords import Passwords
from app.services import Services
from schedules.demo import DemoLogin, demo_logins, make_demo
from schedules.plans.demo import give_plans

AHEAD = timedelta(days=7)  # farther than the demo's lectures


def load_demo(services: Services) -> None:
    """Fill the database, or plan the demo's lectures anew from now on where it is filled already."""
    now = services.clock.now()
    make_demo(services.schedules, Passwords().hash, now)
    lectures = services.schedules.lectures_between(now, now + AHEAD)
    waiting = [lecture for lecture in lectures if lecture.status in ("planned", "open")]
    give_plans(services.plans, services.schedules, waiting)


def print_logins(services: Services) -> None:
    """Print accounts and links, if the demo is there; people start from these lines."""
    if services.schedules.user_by_login(demo_logins()[0].login) is None:
        return
    url = services.config.public_url
    points = services.schedules.points()
    now = services.clock.now()
    lecture = next((on for p in points if (on := services.schedules.lecture_for_point(p.id, now))), None)
    lines = ["", f"Điểm Cầu: {url}", "", "  Tài khoản mẫu / demo accounts:"]
    lines += [_account(login) for login in demo_logins()]
    lines += ["", f"  Màn hình hội trường / hall screen:   {url}/kiosk"]
    if lecture:
        lines += [
            f"  Buổi học sắp tới / next lecture:     {url}/lectures/{lecture.id}",
            f"  Màn hình giảng viên / console:       {url}/lectures/{lecture.id}/console",
        ]
    print("\n".join(lines), end="\n\n", flush=True)


def _account(login: DemoLogin) -> str:
    where = f" ({login.point_name})" if login.point_name else ""
    return f"    {login.login:<12} {login.password:<10} {login.role:<10} {login.name}{where}"
