import { pathOf, type IconName } from "./icons";

export const Icon = ({ name, scale = 1 }: { name: IconName; scale?: number }) => (
  <svg class="icon" width={12 * scale} height={12 * scale} viewBox="0 0 12 12" aria-hidden="true">
    <path d={pathOf(name)} shape-rendering="crispEdges" />
  </svg>
);
