"""The process that does the work of one lane, one job after another:  python -m fogcatcher.studio.worker

It meets the service in the database alone, and outlives it: neither a closed page nor a service that crashed
ends a training. A job whose worker was killed is taken up again by the next one.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from pathlib import Path

from fogcatcher.base.errors import Message, UserError
from fogcatcher.base.lock import InUse, locked, owner_of
from fogcatcher.studio.database import Database
from fogcatcher.studio.doing import DOING
from fogcatcher.studio.estimates import learn
from fogcatcher.studio.jobs import LANES, MOST_STARTS, Job, Jobs
from fogcatcher.studio.work import ENDS, Ended, Work
from fogcatcher.studio.workspace import Workspace

IDLE_SECONDS = 0.02
"""Between two looks for work."""
LONELY_SECONDS = 20.0
"""A worker without work ends so long after the service has."""
COMMANDS = {"long": "long work of a studio", "short": "short work of a studio"}


def lane_folder(workspace: Workspace, lane: str) -> Path:
    """Where the lock of a lane's worker lies."""
    return workspace.hidden / f"worker-{lane}"


def run(folder: Path, lane: str) -> None:
    """Do what waits in a lane until there is no work and no service. Raises InUse beside another worker."""
    workspace = Workspace.at(folder)
    with locked(lane_folder(workspace, lane), COMMANDS[lane]):
        os.chdir(workspace.root)  # the paths in runs are those of the command line, seen from here
        database = Database(workspace.hidden)
        jobs = Jobs(database)
        for job in jobs.orphans(lane):
            _take_up(job, jobs, workspace)
        work, quiet = Work(workspace, database, jobs), time.monotonic()
        while True:
            job = _next(database, jobs, lane)
            if job is not None:
                do(job, work)
                quiet = time.monotonic()
            elif time.monotonic() - quiet > LONELY_SECONDS:
                if owner_of(workspace.hidden) is None:
                    return
                quiet = time.monotonic()
            else:
                time.sleep(IDLE_SECONDS)


def _next(database: Database, jobs: Jobs, lane: str) -> Job | None:
    """The next job; only reads where nothing waits."""
    waiting = database.row("SELECT 1 FROM jobs WHERE lane = ? AND state = 'queued' LIMIT 1", (lane,))
    return jobs.take(lane) if waiting else None


def _take_up(job: Job, jobs: Jobs, workspace: Workspace) -> None:
    """What becomes of a job whose worker died."""
    if job.wish in ENDS:
        Work(workspace, jobs.database, jobs).ended(job, job.wish)
    elif job.starts >= MOST_STARTS:
        said = Message(
            "the program that did it was ended {count} times: perhaps the memory is too small for it.",
            count=job.starts,
        )
        jobs.fail(job.id, said)
    else:
        jobs.again(job.id)


def do(job: Job, work: Work) -> None:
    """Do one job, and write down how it ended."""
    start = time.monotonic()
    try:
        result = work.do(job, DOING[job.kind])
        work.jobs.end(job.id, "done", result=result)
        learn(work.database, job.kind, job.request, time.monotonic() - start)
    except Ended as ended:
        work.ended(job, ended.wish)
    except UserError as error:
        work.failed(job, error.said)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        work.failed(job, f"{where}{error.strerror or error}.")
    except MemoryError:
        work.failed(job, "the memory of this machine is too small for it: ask for less at once.")
    except Exception as error:
        traceback.print_exc()
        sys.stderr.flush()
        said = Message(
            "something went wrong in the program itself ({kind}: {why}).",
            kind=type(error).__name__,
            why=str(error),
        )
        work.failed(job, said)


def main(arguments: list[str]) -> None:
    folder, lane = arguments
    if lane not in LANES:
        raise SystemExit(f"there is no lane {lane}")
    logging.captureWarnings(True)
    try:
        run(Path(folder), lane)
    except InUse:
        return  # another worker does it already


if __name__ == "__main__":
    main(sys.argv[1:])
