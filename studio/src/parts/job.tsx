/** One piece of work: what it is, how far, and what can be done about it. */

import type { Job, Progress } from "../api/types";
import { order, type Order } from "../state/work";
import { duration, t, told } from "../words/words";
import { Bar, Button } from "./controls";
import type { IconName } from "./icons";

const said = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "";

/** The name of a job in the language of the page, made of what was asked. */
export function titleOf(job: Job): string {
  const { request } = job;
  const models = request["models"] as string[] | undefined;
  const model = models?.join(" + ") ?? said(request["model"] ?? request["resume"]).replace(/^shipped\./, "");
  switch (job.kind) {
    case "train":
      return t("job.train", { name: said(request["name"] ?? request["data"]) || model });
    case "draw": {
      const seeds = request["seeds"];
      const n = Array.isArray(seeds) ? seeds.length : Number(request["count"] ?? 1);
      return t("job.draw", { n, model });
    }
    case "edit":
      return t("job.edit", { model });
    case "explain":
      return t("job.explain", { model });
    case "grid":
      return t("job.grid", { model });
    case "evaluate":
      return t("job.evaluate", { model });
    case "export":
      return t("job.export", { model, format: said(request["format"]) });
  }
}

export function Orders({ job, quiet = true }: { job: Job; quiet?: boolean }) {
  const button = (what: Order, icon: IconName, label: string, tone: "plain" | "danger" = "plain") => (
    <Button
      key={what}
      icon={icon}
      tone={quiet ? "quiet" : tone}
      {...(quiet ? { label } : { children: label })}
      onClick={() => void order(job, what)}
    />
  );
  const trains = job.kind === "train";
  return (
    <div class="row tight">
      {job.state === "running" && trains && button("pause", "pause", t("job.pause"))}
      {job.state === "paused" && button("continue", "play", t("job.continue"))}
      {(job.state === "running" || job.state === "paused") && trains && button("stop", "stop", t("job.stop"))}
      {(job.state === "queued" || job.state === "running" || job.state === "paused") &&
        button("cancel", "close", t("job.cancel"), "danger")}
      {(job.state === "failed" || job.state === "cancelled") && button("retry", "retry", t("job.retry"))}
    </div>
  );
}

export const timeLeft = (seconds: number | null | undefined): string =>
  seconds === null || seconds === undefined ? "" : t("job.left", { time: duration(seconds) });

export const StateMark = ({ job }: { job: Job }) => (
  <span class={`mark ${job.state}`}>{t(`job.state.${job.state}`)}</span>
);

/** What it does now, where it says so. */
export function Doing({ progress }: { progress: Progress }) {
  if (progress.text === null) return null;
  const { words, lang } = told({ template: progress.text, values: {} }, progress.text);
  return (
    <span class="small" lang={lang}>
      {words}
    </span>
  );
}

/** Why a job failed, if it did. */
export function Wrong({ job, alert }: { job: Job | undefined; alert?: boolean }) {
  if (job === undefined || job.error === null) return null;
  const { words, lang } = told(job.result?.said, job.error);
  return (
    <p class="wrong" lang={lang} role={alert === true ? "alert" : undefined}>
      {words}
    </p>
  );
}

export function JobCard({ job }: { job: Job }) {
  const { progress } = job;
  return (
    <article class={`job ${job.state}`}>
      <header>
        <h3>{titleOf(job)}</h3>
        <Orders job={job} />
      </header>
      <p class="row tight small">
        <StateMark job={job} />
        {progress !== null && job.state === "running" && (
          <span>
            {t("job.step", { done: progress.done, of: progress.of })} {timeLeft(progress.seconds_left)}
          </span>
        )}
      </p>
      {progress !== null &&
        (job.state === "running" || job.state === "paused" || job.state === "pausing") && (
          <Bar done={progress.done} of={progress.of} label={titleOf(job)} />
        )}
      <Wrong job={job} />
    </article>
  );
}
