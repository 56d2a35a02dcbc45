"""Bad inputs of every kind: each must be told in one exact message, and change nothing."""

from . import audits, batches, configs, data_files, environment, models, plugins, recipes, tasks

AREAS = {
    area.__name__.rpartition(".")[2]: area.ROWS
    for area in (audits, batches, configs, data_files, models, recipes, tasks, plugins, environment)
}
ROWS = [row for rows in AREAS.values() for row in rows]
REFUSED = recipes.REFUSED
