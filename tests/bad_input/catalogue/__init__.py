"""Bad inputs of every kind: each must be told in one exact message, and change nothing."""

from . import (
    audits,
    batches,
    configs,
    contamination,
    data_files,
    environment,
    following,
    judge_formats,
    judging,
    models,
    people,
    plugins,
    publishing,
    recipes,
    reviews,
    tasks,
    viewing,
)

AREAS = {
    area.__name__.rpartition(".")[2]: area.ROWS
    for area in (
        *(batches, configs, data_files, models, people, recipes, tasks, plugins, environment),
        *(audits, contamination, following, judge_formats, judging, publishing, reviews, viewing),
    )
}
ROWS = [row for rows in AREAS.values() for row in rows]
REFUSED = recipes.REFUSED
