/** What the service says and is told, as JSON: the shapes of `/api`. */

import type { Said } from "../words/words";

export type Size = readonly [width: number, height: number];

export type Wish = string | number | readonly string[] | Readonly<Record<string, number>>;
export type Wishes = Readonly<Record<string, Wish>>;

export interface Condition {
  name: string;
  type: "category" | "tags" | "number" | "colour" | "text" | "sentence" | "encoded_text";
  classes?: string[];
  tags?: string[];
  low?: number;
  high?: number;
}

export interface Model {
  id: string;
  name: string;
  source: "shipped" | "run";
  size: Size;
  channels: number;
  conditions: Condition[];
  parameters: number;
  step: number;
  steps: number;
  state: "ready" | "training" | "paused";
  path: string | null;
  preview: string | null; // the sheet of its training
  thumb?: string | null; // eight pictures, 4 x 2, without gaps
  data: string | null;
  started_from: string | null;
  enlarges: number; // how many times as large as a small picture that it is given; 1 where it takes none
  created: number;
  has_best: boolean;
  kind: string;
  note: string | null;
}

export interface ModelDetails extends Model {
  card: string;
  config: Record<string, unknown>;
  incidents: string[];
  summary: string[];
  verdict: string | null;
}

export interface LogRow {
  step: number;
  loss: number;
  seconds_per_step?: number;
}

export interface Level {
  sigma: number;
  training?: number | null;
  held_out?: number | null;
  zero?: number | null;
  gaussian?: number | null;
}

export interface Check {
  step: number;
  kernel_distance?: number | null;
  copied?: number | null;
  training_loss?: number | null;
  held_out_loss?: number | null;
  levels?: Level[];
}

export interface Log {
  rows: LogRow[];
  checks: Check[];
  incidents: string[];
}

export interface DataSet {
  name: string;
  pictures: number | null;
  bytes: number;
  created: number;
  builtin: boolean;
  thumbs: string[];
}

export interface Column {
  name: string;
  type: string;
  values: Record<string, number>;
}

export interface Inspection {
  lines: string[];
  notes: string[];
  pictures: number;
  size: Size;
  columns: Column[];
  conditions: Condition[];
  skipped: { file: string; reason: string }[];
  seen: { url: string; pictures: number }; // side by side, as the model will see them
  forecast: Record<string, string>;
  findings: Findings;
}

/** What was found out about a data set; shares are of the pictures that were looked at. */
export interface Findings {
  pictures: number;
  channels: 1 | 2 | 3 | 4;
  sizes: Record<string, number>;
  pixel_art: number | null;
  dropped: number;
  same: number;
  near_pictures: number;
  transparent: number;
  soft: number;
  colours: { median: number; most: number; distinct: number };
  mirrors: Record<string, number>;
}

export interface Picture {
  id: string;
  url: string;
  size: Size;
  recipe: Record<string, unknown> | null;
  favourite: boolean;
  created: number;
}

export interface FileMade {
  name: string;
  url: string;
  bytes: number;
}

export type JobKind = "train" | "draw" | "edit" | "explain" | "grid" | "evaluate" | "export";
export type JobState = "queued" | "running" | "pausing" | "paused" | "done" | "failed" | "cancelled";

export interface Progress {
  done: number;
  of: number;
  seconds_left: number | null;
  text: string | null;
}

export interface JobResult {
  said?: Said; // why it failed
  model?: string;
  folder?: string;
  pictures?: Picture[];
  sheet?: string;
  page?: string | null;
  picture?: string;
  figures?: Record<string, unknown>;
  files?: FileMade[];
  note?: string | null;
}

export interface Job {
  id: number;
  kind: JobKind;
  title: string;
  state: JobState;
  position: number | null;
  request: Record<string, unknown>;
  created: number;
  started: number | null;
  ended: number | null;
  progress: Progress | null;
  error: string | null;
  result: JobResult | null;
}

/** A number that can be chosen: what is usual, and between which ends. */
export interface Bound {
  name?: string;
  default: number | null;
  low: number | null;
  high: number | null;
  help?: string;
}

export interface Named {
  name: string;
  help: string;
}

export interface Sampler extends Named {
  noisy: boolean;
  source: { file: string; name: string };
  options: (Bound & { name: string; whole: boolean })[];
}

export interface Options {
  samplers: Sampler[];
  steering: Named[];
  grids: string[];
  limits: string[];
  draw: { sampler: string; limit: string; steps: Bound; guidance: Bound; count: Bound };
  train: {
    minutes: Bound;
    sizes_of_model: { name: string; parameters: number }[];
    presets: Named[];
    augment: string[];
    networks: Named[];
    start_from: string[];
  };
  inpaint: { methods: Named[] };
  vary: { strength: Bound };
  interpolate: { frames: Bound };
  palettes: { name: string; colours: string[] }[];
  colours: { low: number; high: number };
  exports: Named[];
  zoom: Bound;
  said: Record<string, string>; // sentences of the service in the language that was asked for
}

export interface State {
  name: string;
  workspace: string;
  version: string;
  device: string;
  cores: number;
  jobs_running: number;
  languages: string[];
}

export interface Preview {
  job: number;
  step: number;
  of: number;
  pictures: string[];
}

export interface TrainingNews {
  model: string;
  step: number;
  of: number;
  loss: number | null;
  preview: string | null;
  seconds_left: number | null;
}

export interface Settings {
  sampler?: string;
  steps?: number;
  guidance?: number;
  grid?: string | null;
  limit?: string;
  rescale?: number;
  interval?: readonly [number, number] | null;
  negative?: Wishes | null;
  sampler_options?: Readonly<Record<string, number>>;
}

export interface Finish {
  palette?: string;
  hard_alpha?: boolean;
  colours_each?: number;
  strays?: number;
  indexed?: boolean;
  zoom?: number;
}

export interface DrawRequest {
  model: string;
  conditions: Wishes | null;
  seeds: number[];
  settings: Settings;
  finish?: Finish;
}

export interface Recipe {
  recipe: Record<string, unknown>;
  model: string | null;
  request: Partial<DrawRequest>;
  note: string | null;
}

export interface Estimate {
  seconds: number | null;
  text: string;
}
