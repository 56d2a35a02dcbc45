"""Bad inputs of every kind: each must be told in one exact message, and change nothing."""

from . import (
    batches,
    configs,
    data_files,
    environment,
    models,
    plugins,
    recipes,
    reviews,
    tasks,
)

AREAS = {
    area.__name__.rpartition(".")[2]: area.ROWS
    for area in (
        batches,
        configs,
        data_files,
        models,
        recipes,
        tasks,
        plugins,
        environment,
        reviews,
    )
}
ROWS = [row for rows in AREAS.values() for row in rows]
REFUSED = recipes.REFUSED
