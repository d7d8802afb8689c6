"""Charts as SVG elements for the pages. They use attributes only: the content security policy forbids inline styles."""

from __future__ import annotations

from markupsafe import Markup, escape

from lorchestra.dashboard.run_view import RunView
from lorchestra.history.trends import Series

_WIDTH, _HEIGHT, _EDGE = 640, 120, 6
_ROW, _MOST_ROWS = 18, 200


def line(series: Series) -> Markup:
    """A line of values over the band, outliers marked; with a title for screen readers."""
    top = max([point.value for point in series.points] + [series.high or 0, 1e-9])
    step = (_WIDTH - 2 * _EDGE) / max(1, len(series.points) - 1)

    def y(value: float) -> float:
        return round(_HEIGHT - _EDGE - (value / top) * (_HEIGHT - 2 * _EDGE), 1)

    places = [(round(_EDGE + at * step, 1), y(point.value), point) for at, point in enumerate(series.points)]
    parts = [Markup('<svg class="chart" viewBox="0 0 {} {}" role="img">').format(_WIDTH, _HEIGHT)]
    parts.append(Markup("<title>{}</title>").format(_summary(series)))
    if series.low is not None and series.high is not None:
        band = Markup('<rect class="band" x="0" width="{}" y="{}" height="{}"/>')
        parts.append(band.format(_WIDTH, y(series.high), round(y(series.low) - y(series.high), 1)))
    parts.append(Markup('<polyline class="line" points="{}"/>').format(" ".join(f"{x},{v}" for x, v, _ in places)))
    for x, value, point in places:
        kind = "outside" if point.outside else "point"
        parts.append(
            Markup('<circle class="{}" cx="{}" cy="{}" r="3"><title>{}: {:,.6g}</title></circle>').format(
                kind, x, value, point.moment, point.value
            )
        )
    return Markup("").join([*parts, Markup("</svg>")])


def timeline(run: RunView) -> Markup:
    """When each task of a run began and ended, one row each, the first 200."""
    tasks = sorted(run.tasks.values(), key=lambda task: task.began)[:_MOST_ROWS]
    begin = min((task.began for task in tasks), default=0.0)
    end = max([task.ended or run.heard for task in tasks] + [begin + 1e-3])
    scale = (_WIDTH - 2) / (end - begin)
    parts = [Markup('<svg class="chart" viewBox="0 0 {} {}" role="img">').format(_WIDTH, _ROW * max(1, len(tasks)))]
    parts.append(Markup("<title>{}</title>").format(f"{len(tasks)} tasks in {end - begin:.1f} seconds"))
    for row, task in enumerate(tasks):
        x, width = (task.began - begin) * scale, ((task.ended or run.heard) - task.began) * scale
        bar = Markup('<rect class="task {}" x="{:.1f}" y="{}" width="{:.1f}" height="12"><title>{}</title></rect>')
        told = f"{task.name}: {(task.ended or run.heard) - task.began:.2f} s, {task.status}"
        parts.append(bar.format(task.status, x, row * _ROW + 3, max(2.0, width), told))
        label = Markup('<text class="label" x="4" y="{}">{}</text>')
        parts.append(label.format(row * _ROW + 13, escape(task.name)))
    return Markup("").join([*parts, Markup("</svg>")])


def _summary(series: Series) -> str:
    last = series.points[-1].value if series.points else 0
    band = f", usually {series.low:,.6g} to {series.high:,.6g}" if series.low is not None else ""
    return f"{series.title}: {len(series.points)} values, median {series.median:,.6g}{band}, last {last:,.6g}"
