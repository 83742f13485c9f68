/** All work, in order: what runs, what waits, what ended. The same in every tab, since it is the service's list. */

import { active, jobs, unfinished } from "../state/store";
import { move } from "../state/work";
import { t } from "../words/words";
import { Button } from "./controls";
import { Dialog } from "./dialog";
import { JobCard } from "./job";

const ENDED_SHOWN = 20;

export function Queue({ onClose }: { onClose: () => void }) {
  const waiting = active.value
    .filter((job) => job.state === "queued")
    .sort((a, b) => (a.position ?? 0) - (b.position ?? 0));
  const working = active.value.filter((job) => job.state !== "queued");
  const over = jobs.value
    .filter((job) => !unfinished(job))
    .slice(-ENDED_SHOWN)
    .reverse();
  return (
    <Dialog title={t("queue.title")} kind="side" onClose={onClose}>
      {jobs.value.length === 0 && <p class="muted">{t("queue.empty")}</p>}
      {working.map((job) => (
        <JobCard key={job.id} job={job} />
      ))}
      {waiting.length > 0 && <h3 class="list-title">{t("queue.waiting")}</h3>}
      {waiting.map((job, place) => (
        <div key={job.id} class="waiting">
          <JobCard job={job} />
          {place > 0 && (
            <Button tone="quiet" onClick={() => void move(job, waiting[place - 1]?.id ?? null)}>
              {t("queue.earlier")}
            </Button>
          )}
        </div>
      ))}
      {over.length > 0 && <h3 class="list-title">{t("queue.over")}</h3>}
      {over.map((job) => (
        <JobCard key={job.id} job={job} />
      ))}
    </Dialog>
  );
}
