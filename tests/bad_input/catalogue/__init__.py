"""Bad inputs of every kind: each must be told in one exact message, and change nothing."""

from . import (
    audits,
    batches,
    configs,
    contamination,
    data_files,
    environment,
    judging,
    models,
    people,
    plugins,
    recipes,
    reviews,
    tasks,
    viewing,
)

AREAS = {
    area.__name__.rpartition(".")[2]: area.ROWS
    for area in (
        *(batches, configs, data_files, models, people, recipes, tasks, plugins, environment),
        *(audits, contamination, judging, reviews, viewing),
    )
}
ROWS = [row for rows in AREAS.values() for row in rows]
REFUSED = recipes.REFUSED
